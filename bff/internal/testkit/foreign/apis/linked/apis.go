package linked

import (
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// API is what one gateway serves.
type API struct {
	Name string
	// Packages are those of its protos.
	Packages []protoreflect.FullName
}

// APIs returns all of them.
func APIs() []API {
	return []API{
		{"authzed", []protoreflect.FullName{"authzed.api.v1"}},
		{"bigtable", []protoreflect.FullName{"google.bigtable.v2"}},
		{"bigtableadmin", []protoreflect.FullName{"google.bigtable.admin.v2"}},
		{"dialogflow", []protoreflect.FullName{"google.cloud.dialogflow.cx.v3"}},
		{"iam", []protoreflect.FullName{"google.iam.v1"}},
		{"kms", []protoreflect.FullName{"google.cloud.kms.v1"}},
		{"longrunning", []protoreflect.FullName{"google.longrunning"}},
		{"monitoring", []protoreflect.FullName{"google.monitoring.v3", "google.monitoring.dashboard.v1"}},
		{"openfga", []protoreflect.FullName{"openfga.v1"}},
		{"pubsub", []protoreflect.FullName{"google.pubsub.v1"}},
		{"spanner", []protoreflect.FullName{
			"google.spanner.v1", "google.spanner.admin.database.v1", "google.spanner.admin.instance.v1",
		}},
		{"temporal", []protoreflect.FullName{"temporal.api.workflowservice.v1", "temporal.api.operatorservice.v1"}},
	}
}

// Services returns those of the API that have routes, by name.
func (a API) Services() []protoreflect.ServiceDescriptor {
	var found []protoreflect.ServiceDescriptor

	for _, name := range a.Packages {
		protoregistry.GlobalFiles.RangeFilesByPackage(name, func(file protoreflect.FileDescriptor) bool {
			for i := range file.Services().Len() {
				if service := file.Services().Get(i); routed(service) {
					found = append(found, service)
				}
			}

			return true
		})
	}

	slices.SortFunc(found, func(a, b protoreflect.ServiceDescriptor) int {
		return strings.Compare(string(a.FullName()), string(b.FullName()))
	})

	return found
}

// routed reports whether a method of the service has a route.
func routed(service protoreflect.ServiceDescriptor) bool {
	for i := range service.Methods().Len() {
		if proto.HasExtension(service.Methods().Get(i).Options(), annotations.E_Http) {
			return true
		}
	}

	return false
}
