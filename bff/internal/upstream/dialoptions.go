package upstream

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// ownDialField is a field of gRPC's dial options that an embedding program cannot set, because the gateway does or because it would
// have no effect. The path leads to it from grpc.ClientConn, option sets it, and instead says what to do.
type ownDialField struct{ path, option, instead string }

// What to do in place of an option that is refused.
const (
	insteadChain   = "use grpc.WithChainUnaryInterceptor and grpc.WithChainStreamInterceptor, which come after the gateway's checks"
	insteadTLS     = "connections are encrypted as upstreams.NAME.tls says"
	insteadTarget  = "addresses are found as upstreams.NAME.addresses or target says"
	insteadRetry   = "calls are made again as the policy of the method says"
	insteadProbe   = "addresses are probed as upstreams.NAME.probe says"
	insteadName    = "use upstreams.NAME.authority"
	insteadReceive = "use upstreams.NAME.max_receive_bytes"
	insteadNothing = "it has no effect on a connection that is made when it is needed"
)

func ownDialFields() []ownDialField {
	return []ownDialField{
		{"dopts.authority", "WithAuthority", insteadName},
		{"dopts.resolvers", "WithResolvers", insteadTarget},
		{"dopts.disableServiceConfig", "WithDisableServiceConfig", insteadRetry},
		{"dopts.defaultServiceConfigRawJSON", "WithDefaultServiceConfig", insteadRetry},
		{"dopts.disableRetry", "WithDisableRetry", insteadRetry},
		{"dopts.maxCallAttempts", "WithMaxCallAttempts", insteadRetry},
		{"dopts.disableHealthCheck", "WithDisableHealthCheck", insteadProbe},
		{"dopts.returnLastError", "WithReturnConnectionError", insteadNothing},
		{"dopts.block", "WithBlock", insteadNothing},
		{"dopts.timeout", "WithTimeout", insteadNothing},
		{"dopts.copts.FailOnNonTempDialError", "FailOnNonTempDialError", insteadNothing},
		{"dopts.copts.TransportCredentials", "WithTransportCredentials", insteadTLS},
		{"dopts.copts.CredsBundle", "WithCredentialsBundle", insteadTLS},
	}
}

// CheckDialOption refuses an option of grpc.NewClient that would have no effect here, or would take from the gateway what it relies
// on. It dials nothing.
func CheckDialOption(option grpc.DialOption) error {
	if option == nil {
		return errors.New("is nil")
	}

	before, err := probedConn()
	if err != nil {
		return err
	}

	after, err := probedConn(option)
	if err != nil {
		return err
	}

	for _, field := range ownDialFields() {
		if !sameDialState(dialField(before, field.path), dialField(after, field.path)) {
			return fmt.Errorf("grpc.%s is refused: %s", field.option, field.instead)
		}
	}

	if err := checkNil(after); err != nil {
		return err
	}

	return checkInterceptors(after)
}

// listField is a field of gRPC's dial options that is a list of elements.
type listField struct{ path, element string }

func listFields() []listField {
	return []listField{
		{"dopts.chainUnaryInts", "an interceptor"},
		{"dopts.chainStreamInts", "an interceptor"},
		{"dopts.callOptions", "a call option"},
		{"dopts.copts.PerRPCCredentials", "per-RPC credentials"},
	}
}

// checkNil refuses lists with elements that are nil, with which gRPC would panic, at the latest when there is a call.
func checkNil(options reflect.Value) error {
	for _, field := range listFields() {
		list := dialField(options, field.path)
		for i := 0; list.Kind() == reflect.Slice && i < list.Len(); i++ {
			if list.Index(i).IsNil() {
				return fmt.Errorf("%s in it is nil", field.element)
			}
		}
	}

	return nil
}

// checkInterceptors refuses interceptors that run before all others, including the checks of the gateway, and a limit on what is
// received.
func checkInterceptors(options reflect.Value) error {
	for _, kind := range []struct{ single, chain, option string }{
		{"dopts.unaryInt", "dopts.chainUnaryInts", "WithUnaryInterceptor"},
		{"dopts.streamInt", "dopts.chainStreamInts", "WithStreamInterceptor"},
	} {
		// gRPC makes one interceptor of all.
		single, chain := dialField(options, kind.single), dialField(options, kind.chain)
		if single.Kind() == reflect.Func && !single.IsNil() && chain.Kind() == reflect.Slice && chain.Len() == 0 {
			return fmt.Errorf("grpc.%s is refused: %s", kind.option, insteadChain)
		}
	}

	calls := dialField(options, "dopts.callOptions")
	for i := 0; calls.Kind() == reflect.Slice && i < calls.Len(); i++ {
		if calls.Index(i).Elem().Type() == reflect.TypeFor[grpc.MaxRecvMsgSizeCallOption]() {
			return fmt.Errorf("grpc.MaxCallRecvMsgSize is refused: %s", insteadReceive)
		}
	}

	return nil
}

// probedConn is what gRPC makes of options. Its fields are not exported, and there is no other way to see what an option does; a
// test compares their names with those of gRPC.
func probedConn(options ...grpc.DialOption) (reflect.Value, error) {
	// Encrypted, as some options require. Whether the connection of the upstream is shows when it is opened.
	transport := probeCredentials{credentials.NewTLS(nil)}

	conn, err := grpc.NewClient("passthrough:///probe",
		append([]grpc.DialOption{grpc.WithTransportCredentials(transport)}, options...)...)
	if err != nil {
		return reflect.Value{}, fmt.Errorf("probe a dial option: %w", err)
	}

	state := reflect.ValueOf(conn).Elem()

	// It was never used.
	_ = conn.Close()

	return state, nil
}

// probeCredentials are of a type of their own, so that those of an option are seen.
type probeCredentials struct {
	credentials.TransportCredentials
}

// dialField returns a field; the zero Value if this version of gRPC has none.
func dialField(conn reflect.Value, path string) reflect.Value {
	field := conn
	for name := range strings.SplitSeq(path, ".") {
		if field.Kind() != reflect.Struct {
			return reflect.Value{}
		}

		field = field.FieldByName(name)
	}

	return field
}

// sameDialState reports whether an option has left a field alone, as far as its values can be compared.
func sameDialState(before, after reflect.Value) bool {
	switch before.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Slice:
		return before.Len() == after.Len()
	case reflect.Interface:
		if before.IsNil() || after.IsNil() {
			return before.IsNil() == after.IsNil()
		}

		return before.Elem().Type() == after.Elem().Type()
	case reflect.Pointer:
		return before.IsNil() == after.IsNil()
	default:
		return !before.Comparable() || before.Equal(after)
	}
}
