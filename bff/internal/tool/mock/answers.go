package mock

import (
	"encoding/base64"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"buf.build/go/protovalidate"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"
)

// answers makes the answers of all methods. It is immutable and safe for concurrent use.
type answers struct {
	maker     maker
	validator protovalidate.Validator
}

func newAnswers(today time.Time) (*answers, error) {
	validator, err := protovalidate.New()
	if err != nil {
		return nil, err
	}

	return &answers{maker: maker{today: today}, validator: validator}, nil
}

// newMessage is empty and of the method's type for requests or answers. Both are generated, or neither. Generated types of another
// version of the proto do not count.
func newMessage(method protoreflect.MethodDescriptor, of protoreflect.MessageDescriptor) protoreflect.Message {
	var made protoreflect.Message

	for _, md := range []protoreflect.MessageDescriptor{method.Input(), method.Output()} {
		found, err := protoregistry.GlobalTypes.FindMessageByName(md.FullName())
		if err != nil || found.Descriptor() != md {
			return dynamicpb.NewMessage(of)
		}

		if md == of {
			made = found.New()
		}
	}

	return made
}

// answer is the one to a request. The step counts the messages of a stream from 1, and is 0 for the only answer.
func (a *answers) answer(method protoreflect.MethodDescriptor, k asked, step int) (proto.Message, error) {
	k.verbs = verbsOf(method.Name())
	sc := scope{seed: seedOf(method, k.request), step: step}

	if step > 0 {
		sc.seed = sc.seed.at(step)
	}

	return a.best(k, func(m *maker, attempt int) (protoreflect.Message, error) {
		sc := sc
		if attempt > 0 {
			sc.seed = sc.seed.at(-attempt)
		}

		msg := newMessage(method, method.Output())

		if list := pagedField(method); list != nil && k.request != nil {
			total, err := a.page(m, msg, list, sc)
			if err != nil {
				return nil, err
			}

			sc.total = total
		}

		m.message(msg, nil, value{seed: sc.seed, name: snake(method.Name())}, sc)

		return msg, nil
	})
}

// seedOf is of the method and what identifies the request: not which page of its answer it wants.
func seedOf(method protoreflect.MethodDescriptor, request protoreflect.Message) seed {
	if request == nil {
		return seed(0).of(string(method.FullName()))
	}

	identifying := proto.Clone(request.Interface()).ProtoReflect()

	if pagedField(method) != nil {
		for _, name := range []protoreflect.Name{"page_size", "page_token"} {
			if field := identifying.Descriptor().Fields().ByName(name); field != nil {
				identifying.Clear(field)
			}
		}
	}

	// What was decoded can be encoded, but for required fields, which may be missing.
	encoded, _ := proto.MarshalOptions{Deterministic: true, AllowPartial: true}.Marshal(identifying.Interface())

	return seed(0).of(string(method.FullName()), string(encoded))
}

// attempts is how often a message is made anew when it breaks its rules.
const attempts = 8

// best is the first message that keeps its rules, or the one that breaks the fewest: some cannot be kept but by knowing what they
// mean (CEL).
func (a *answers) best(k asked, build func(m *maker, attempt int) (protoreflect.Message, error)) (proto.Message, error) {
	var (
		best  proto.Message
		fewer = maxSize
	)

	for attempt := range attempts {
		m := a.maker
		m.asked = k
		m.asked.attempt = attempt

		msg, err := build(&m, attempt)
		if err != nil {
			return nil, err
		}

		broken := a.broken(msg.Interface())
		if broken < fewer {
			best, fewer = msg.Interface(), broken
		}

		if broken == 0 {
			break
		}
	}

	return best, nil
}

// broken counts the rules that a message breaks. Rules that cannot be judged are not broken.
func (a *answers) broken(msg proto.Message) int {
	var invalid *protovalidate.ValidationError
	if err := a.validator.Validate(msg); errors.As(err, &invalid) {
		return len(invalid.Violations)
	}

	return 0
}

// pagedField is what the pages of a method have (AIP-158): the first list of messages, where there are a page size and a token.
// Nil if the method has no pages.
func pagedField(method protoreflect.MethodDescriptor) protoreflect.FieldDescriptor {
	fields := method.Output().Fields()
	token, size := fields.ByName("next_page_token"), method.Input().Fields().ByName("page_size")

	if token == nil || token.Kind() != protoreflect.StringKind || size == nil ||
		size.Kind() != protoreflect.Int32Kind && size.Kind() != protoreflect.Int64Kind || size.IsList() {
		return nil
	}

	for i := range fields.Len() {
		if field := fields.Get(i); field.IsList() && field.Message() != nil {
			return field
		}
	}

	return nil
}

const (
	leastItems, mostItems = 8, 40
	defaultPage           = 20
)

// page sets the items of the page that the request asks for, and the token of the next. It returns how many items there are in all.
func (a *answers) page(m *maker, msg protoreflect.Message, list protoreflect.FieldDescriptor, sc scope) (total int, err error) {
	request := m.asked.request
	fields := request.Descriptor().Fields()

	from, err := offset(request, fields.ByName("page_token"))
	if err != nil {
		return 0, err
	}

	size := int(request.Get(fields.ByName("page_size")).Int())
	if size <= 0 {
		size = defaultPage
	}

	size = min(size, typed(rulesOf(list)).size("max_items", maxSize))
	items := a.items(m.asked, msg, list, sc)
	from = min(from, len(items))
	to := min(from+size, len(items))

	for _, item := range items[from:to] {
		msg.Mutable(list).List().Append(protoreflect.ValueOfMessage(item))
	}

	if to < len(items) {
		msg.Set(msg.Descriptor().Fields().ByName("next_page_token"),
			protoreflect.ValueOfString(base64.RawURLEncoding.EncodeToString([]byte(tokenPrefix+strconv.Itoa(to)))))
	}

	return len(items), nil
}

const tokenPrefix = "after:"

func offset(request protoreflect.Message, field protoreflect.FieldDescriptor) (int, error) {
	if field == nil || field.Kind() != protoreflect.StringKind || request.Get(field).String() == "" {
		return 0, nil
	}

	text, err := base64.RawURLEncoding.DecodeString(request.Get(field).String())
	number, isToken := strings.CutPrefix(string(text), tokenPrefix)
	from, notNumber := strconv.ParseUint(number, 10, 16)

	if err != nil || !isToken || notNumber != nil {
		return 0, status.Error(codes.InvalidArgument, "page_token is none that this service made")
	}

	return int(from), nil
}

// items are all of a list, the newest first.
func (a *answers) items(k asked, msg protoreflect.Message, list protoreflect.FieldDescriptor, sc scope) []protoreflect.Message {
	n := sc.seed.of("total").rand().IntN(mostItems-leastItems) + leastItems
	items := make([]protoreflect.Message, 0, n)

	for i := range n {
		// Building an item does not fail.
		made, _ := a.best(k, func(m *maker, attempt int) (protoreflect.Message, error) {
			item := msg.NewField(list).List().NewElement().Message()
			inside := sc.inside(msg.Descriptor(), string(list.Name()))
			inside.seed, inside.listed = inside.seed.at(i), true

			if id := identity(item.Descriptor()); id == nil && attempt > 0 {
				inside.seed = inside.seed.at(-attempt)
			}

			m.fill(item, inside)

			return item, nil
		})
		items = append(items, made.ProtoReflect())
	}

	created := func(item protoreflect.Message) int64 {
		field := item.Descriptor().Fields().ByName("create_time")
		if field == nil || field.Message() == nil || field.Message().FullName() != timestamp || !item.Has(field) {
			return 0
		}

		return instant(item.Get(field)).Unix()
	}

	slices.SortStableFunc(items, func(a, b protoreflect.Message) int { return int(created(b) - created(a)) })

	return items
}
