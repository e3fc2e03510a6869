// Package console is the operators' console on the admin listener: what it shows, once a second as Server-Sent Events, and what
// operators can do. All of it comes from functions of the gateway (Deps).
//
// It has no authentication for what it shows, like the rest of the admin listener; actions need the credential of package admin.
package console
