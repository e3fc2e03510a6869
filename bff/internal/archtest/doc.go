// Package archtest holds the rules on who may import whom, each with its reason. It is nothing but a test. If a rule is wrong,
// change the rule, in a commit of its own that says why.
package archtest
