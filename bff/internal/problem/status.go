package problem

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/http"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
)

// statusDocument is the problem as a google.rpc.Status in JSON. It has no place for the path of the request and the part of it that
// a field is in.
func (p *Problem) statusDocument(r *http.Request) []byte {
	p = p.For(r)
	st := &rpcstatus.Status{Code: int32(p.grpcCode), Message: valid(cmp.Or(p.Detail, p.Title))}

	for _, d := range p.details() {
		// All texts are valid UTF-8, so it does not fail.
		if packed, err := anypb.New(d); err == nil {
			st.Details = append(st.Details, packed)
		}
	}

	var buf bytes.Buffer

	// It does not fail, either. The white space of Google's protojson is random on purpose.
	encoded, _ := protojson.Marshal(st)
	_ = json.Compact(&buf, encoded)

	return buf.Bytes()
}

// details converts the public fields to the messages for them.
func (p *Problem) details() []proto.Message {
	var all []proto.Message

	if p.Reason != "" || p.Domain != "" || p.Metadata != nil {
		all = append(all, &errdetails.ErrorInfo{Reason: p.Reason, Domain: p.Domain, Metadata: p.Metadata})
	}

	all = append(all, p.violations()...)

	if r := p.Resource; r != nil {
		all = append(all, &errdetails.ResourceInfo{
			ResourceType: r.Type, ResourceName: r.Name, Owner: r.Owner, Description: r.Description,
		})
	}

	if len(p.Help) > 0 {
		help := &errdetails.Help{}
		for _, l := range p.Help {
			help.Links = append(help.Links, &errdetails.Help_Link{Description: l.Description, Url: l.URL})
		}

		all = append(all, help)
	}

	if l := p.Localized; l != nil {
		all = append(all, &errdetails.LocalizedMessage{Locale: l.Locale, Message: l.Message})
	}

	if p.RetryAfter > 0 {
		all = append(all, &errdetails.RetryInfo{RetryDelay: durationpb.New(p.RetryAfter)})
	}

	if p.RequestID != "" {
		all = append(all, &errdetails.RequestInfo{RequestId: valid(p.RequestID)})
	}

	return all
}

func (p *Problem) violations() []proto.Message {
	var all []proto.Message

	if len(p.Errors) > 0 {
		bad := &errdetails.BadRequest{}
		for _, e := range p.Errors {
			bad.FieldViolations = append(bad.FieldViolations, &errdetails.BadRequest_FieldViolation{
				Field: valid(e.Field), Description: valid(e.Description), Reason: valid(e.Reason),
			})
		}

		all = append(all, bad)
	}

	if len(p.Quota) > 0 {
		quota := &errdetails.QuotaFailure{}
		for _, v := range p.Quota {
			quota.Violations = append(quota.Violations, &errdetails.QuotaFailure_Violation{
				Subject: v.Subject, Description: v.Description,
			})
		}

		all = append(all, quota)
	}

	if len(p.Preconditions) > 0 {
		failure := &errdetails.PreconditionFailure{}
		for _, v := range p.Preconditions {
			failure.Violations = append(failure.Violations, &errdetails.PreconditionFailure_Violation{
				Type: v.Type, Subject: v.Subject, Description: v.Description,
			})
		}

		all = append(all, failure)
	}

	return all
}

// valid is for the gateway's own texts, which may repeat what a client sent without Clip.
func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
