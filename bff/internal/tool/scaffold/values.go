package scaffold

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
)

// values are those of the proto.
func (p page) values() values {
	return values{
		"Name": p.Name, "Title": p.Title(), "Package": p.Package(), "ImportPath": p.ImportPath, "Template": p.Template(),
		"Access": p.Access(), "Upstreams": p.Upstreams(),
		"Imports": each(p.Imports(), func(_ int, file string) string { return "\nimport \"" + file + "\";" }),
		"Params": strings.TrimPrefix(each(p.Params(), func(i int, one param) string {
			return fmt.Sprintf("\n\n  %s %s = %d;", one.Type, one.Name, i+1)
		}), "\n\n"),
		"Legs": strings.TrimSuffix(each(p.Legs, func(i int, l leg) string {
			repeated := ""
			if l.Repeated {
				repeated = "repeated "
			}

			return fmt.Sprintf("  %s%s %s = %d;\n\n", repeated, l.Type, l.Field, i+1)
		}), "\n"),
		"Last": strconv.Itoa(len(p.Legs) + 1),
	}
}

// values are those of the proto and of the Go files. These are formatted, and need no indentation.
func (c *code) values() (values, error) {
	required, optional := c.Calls[0], c.Calls[1:]

	v := c.page.values()
	maps.Copy(v, values{
		"Alias": c.Alias, "Kit": c.Kit, "Implementation": c.Implementation, "Example": c.Example(),
		"Imports": each(c.Imports, func(_ int, one goImport) string { return one.Alias + " " + strconv.Quote(one.Path) + "\n" }),

		// Of the service.
		"Clients": c.each(func(one call) string { return one.Client + " " + one.Alias + "." + one.Service + "Client" }),
		"Connections": c.each(func(one call) string {
			return fmt.Sprintf("%[1]sConn, %[1]sErr := connect(%[2]q)", one.Client, one.Upstream)
		}),
		"Errors": c.list(func(one call) string { return one.Client + "Err" }),
		"NewClients": c.each(func(one call) string {
			return fmt.Sprintf("%[1]s: %[2]s.New%[3]sClient(%[1]sConn),", one.Client, one.Alias, one.Service)
		}),
		"Required": required.Field, "Otherwise": "",
		"Parts": part("Required", required) + each(optional, func(_ int, one call) string { return part("Optional", one) }),

		// Of the test.
		"Replies": c.each(call.reply), "Page": c.each(func(one call) string { return one.PageField + ": " + one.message() + "," }),
		"RequiredField": required.PageField, "RequiredRPC": required.rpc(),
		"Missing":     c.list(func(one call) string { return strconv.Quote("no " + one.Upstream) }),
		"TestWithout": "",
	})

	if len(optional) == 0 {
		return v, nil
	}

	v["Otherwise"] = " If anything else is missing, the page says so."
	v["Optional"] = each(optional, func(_ int, one call) string { return fmt.Sprintf("%q: %s,\n", one.Field, one.rpc()) })

	var err error

	v["TestWithout"], err = v.fill("composite_without")

	return v, err
}

// each returns a line for each call.
func (c *code) each(line func(call) string) string {
	return each(c.Calls, func(_ int, one call) string { return line(one) + "\n" })
}

// list returns a text for each call, with commas between them.
func (c *code) list(text func(call) string) string {
	return strings.TrimSuffix(each(c.Calls, func(_ int, one call) string { return text(one) + ", " }), ", ")
}

// part is the part of the page that a call makes.
func part(need string, c call) string {
	if c.Repeated {
		return fmt.Sprintf(`composite.%s(%q, func(ctx context.Context) error {
			list, err := s.%s.%s(ctx, %s)
			page.%s = list.Get%s()

			return err
		}),
`, need, c.Field, c.Client, c.Go, c.Literal(), c.PageField, c.Items)
	}

	return fmt.Sprintf(`composite.%s(%q, func(ctx context.Context) (err error) {
			page.%s, err = s.%s.%s(ctx, %s)

			return err
		}),
`, need, c.Field, c.PageField, c.Client, c.Go, c.Literal())
}

// rpc is the constant with the full name of the method.
func (c call) rpc() string { return c.Alias + "." + c.Service + "_" + c.Go + "_FullMethodName" }

// message is an empty message for the field of the page, or a list with one.
func (c call) message() string {
	if c.Repeated {
		return "[]*" + c.Message + "{ {} }"
	}

	return "&" + c.Message + "{}"
}

// reply is the request that a test expects, and its reply.
func (c call) reply() string {
	reply := "&" + c.Reply + "{}"
	if c.Repeated {
		reply = "&" + c.Reply + "{\n" + c.Items + ": " + c.message() + ",\n}"
	}

	return fmt.Sprintf("%s: {\nrequest: %s,\nreply: %s,\n},", c.rpc(), c.Expected(), reply)
}
