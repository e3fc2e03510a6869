// Package deploytest holds the tests of the manifests in deploy/kubernetes: what kustomize builds of each overlay is decoded strictly
// into the types of Kubernetes, and has to keep what makes a rollout lose nothing. It is a module of its own, so that the types of
// Kubernetes are in no other go.mod.
package deploytest
