package reqinfo

import "strings"

// Selector is a full method, "/user.v1.UserService/GetUser", as selectors of the configuration, the log and the metrics write it:
// "user.v1.UserService.GetUser".
func Selector(rpc string) string {
	return strings.Replace(strings.TrimPrefix(rpc, "/"), "/", ".", 1)
}
