// Package deploytest holds the tests of the manifests in deploy/kubernetes. What kustomize builds of each overlay is decoded
// strictly into the types of Kubernetes, and has to fit to its configuration: the time to stop, ports, probes, files, network
// policies. It is a module of its own, so that the types of Kubernetes are in no other go.mod.
package deploytest
