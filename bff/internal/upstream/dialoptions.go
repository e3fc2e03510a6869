package upstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"reflect"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// ownDialField is a field of gRPC's dial options that an embedding program cannot set, since the gateway does or since it would
// have no effect.
type ownDialField struct {
	// path leads to it from grpc.ClientConn.
	path []string
	// option sets it.
	option string
	// instead says what to do.
	instead string
}

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

// The names of the fields of a grpc.ClientConn, and within those, that hold dial options.
const (
	dialOptions    = "dopts"
	connectOptions = "copts"
)

func ownDialFields() []ownDialField {
	return []ownDialField{
		{[]string{dialOptions, "authority"}, "WithAuthority", insteadName},
		{[]string{dialOptions, "resolvers"}, "WithResolvers", insteadTarget},
		{[]string{dialOptions, "disableServiceConfig"}, "WithDisableServiceConfig", insteadRetry},
		{[]string{dialOptions, "defaultServiceConfigRawJSON"}, "WithDefaultServiceConfig", insteadRetry},
		{[]string{dialOptions, "disableRetry"}, "WithDisableRetry", insteadRetry},
		{[]string{dialOptions, "maxCallAttempts"}, "WithMaxCallAttempts", insteadRetry},
		{[]string{dialOptions, "disableHealthCheck"}, "WithDisableHealthCheck", insteadProbe},
		{[]string{dialOptions, "returnLastError"}, "WithReturnConnectionError", insteadNothing},
		{[]string{dialOptions, "block"}, "WithBlock", insteadNothing},
		{[]string{dialOptions, "timeout"}, "WithTimeout", insteadNothing},
		{[]string{dialOptions, connectOptions, "FailOnNonTempDialError"}, "FailOnNonTempDialError", insteadNothing},
		{[]string{dialOptions, connectOptions, "TransportCredentials"}, "WithTransportCredentials", insteadTLS},
		{[]string{dialOptions, connectOptions, "CredsBundle"}, "WithCredentialsBundle", insteadTLS},
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
		if dialState(before, field.path) != dialState(after, field.path) {
			return fmt.Errorf("grpc.%s is refused: %s", field.option, field.instead)
		}
	}

	if err := checkNil(after); err != nil {
		return err
	}

	return checkInterceptors(after)
}

// listField is a field of gRPC's dial options that is a list.
type listField struct {
	// path leads to it from grpc.ClientConn.
	path []string
	// element is what it has.
	element string
}

func listFields() []listField {
	return []listField{
		{[]string{dialOptions, "chainUnaryInts"}, "an interceptor"},
		{[]string{dialOptions, "chainStreamInts"}, "an interceptor"},
		{[]string{dialOptions, "callOptions"}, "a call option"},
		{[]string{dialOptions, connectOptions, "PerRPCCredentials"}, "per-RPC credentials"},
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

// checkInterceptors refuses those that come before all others, also before the checks of the gateway, and a limit on what is
// received.
func checkInterceptors(options reflect.Value) error {
	for _, kind := range []struct{ single, chain, option string }{
		{"unaryInt", "chainUnaryInts", "WithUnaryInterceptor"}, {"streamInt", "chainStreamInts", "WithStreamInterceptor"},
	} {
		// gRPC makes one interceptor of all.
		single := dialField(options, []string{dialOptions, kind.single})
		chain := dialField(options, []string{dialOptions, kind.chain})

		if single.Kind() == reflect.Func && !single.IsNil() && chain.Kind() == reflect.Slice && chain.Len() == 0 {
			return fmt.Errorf("grpc.%s is refused: %s", kind.option, insteadChain)
		}
	}

	calls := dialField(options, []string{dialOptions, "callOptions"})
	for i := 0; calls.Kind() == reflect.Slice && i < calls.Len(); i++ {
		if calls.Index(i).Elem().Type() == reflect.TypeFor[grpc.MaxRecvMsgSizeCallOption]() {
			return fmt.Errorf("grpc.MaxCallRecvMsgSize is refused: %s", insteadReceive)
		}
	}

	return nil
}

// probedConn is what gRPC makes of options. Its fields are not exported, and there is no other way to see what an option does; a
// test holds their names against those of gRPC.
func probedConn(options ...grpc.DialOption) (reflect.Value, error) {
	conn, err := grpc.NewClient("passthrough:///probe",
		append([]grpc.DialOption{grpc.WithTransportCredentials(probeCredentials{})}, options...)...)
	if err != nil {
		return reflect.Value{}, fmt.Errorf("probe a dial option: %w", err)
	}

	state := reflect.ValueOf(conn).Elem()

	// There is nothing to end.
	_ = conn.Close()

	return state, nil
}

// dialField returns a field; the zero Value if this version of gRPC has none.
func dialField(conn reflect.Value, path []string) reflect.Value {
	field := conn
	for _, name := range path {
		if field.Kind() != reflect.Struct {
			return reflect.Value{}
		}

		field = field.FieldByName(name)
	}

	return field
}

// dialState is what can be compared of a field.
func dialState(conn reflect.Value, path []string) any {
	field := dialField(conn, path)

	switch field.Kind() {
	case reflect.Interface:
		if field.IsNil() {
			return false
		}

		return field.Elem().Type()
	case reflect.Pointer:
		return field.IsNil()
	case reflect.Slice:
		return field.Len()
	case reflect.Bool:
		return field.Bool()
	case reflect.Int, reflect.Int64:
		return field.Int()
	case reflect.String:
		return field.String()
	default:
		return nil
	}
}

// probeCredentials are those of a connection that is never made.
type probeCredentials struct{}

func (probeCredentials) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("there is no connection")
}

func (probeCredentials) ServerHandshake(net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("there is no connection")
}

// Info says that it is encrypted, as some options demand. Whether it is shows when the connection of the upstream is opened.
func (probeCredentials) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls"}
}

func (c probeCredentials) Clone() credentials.TransportCredentials { return c }

func (probeCredentials) OverrideServerName(string) error { return nil }
