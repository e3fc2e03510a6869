package policy

import (
	"errors"

	"google.golang.org/protobuf/proto"

	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

var errDefaultName = errors.New("must be deny, public or authenticated")

// Default is the policy by one of the names that the option default_policy of protoc-gen-portico has, for methods that say nothing
// about access: deny, public or authenticated. No name is no policy.
func Default(name string) (*porticov1.MethodPolicy, error) {
	switch name {
	case "":
		return nil, nil //nolint:nilnil // There is none.
	case "deny":
		return &porticov1.MethodPolicy{Access: &porticov1.Access{Condition: "false"}}, nil
	case "public":
		return &porticov1.MethodPolicy{Access: &porticov1.Access{Public: true}}, nil
	case "authenticated":
		return &porticov1.MethodPolicy{Access: &porticov1.Access{Authenticated: true}}, nil
	default:
		return nil, errDefaultName
	}
}

// Over returns the defaults with another policy for the fields that theirs leaves out.
func (d Defaults) Over(p *porticov1.MethodPolicy) Defaults {
	if p == nil {
		return d
	}

	all := proto.CloneOf(p)
	override(all, d.Policy)
	d.Policy = all

	return d
}
