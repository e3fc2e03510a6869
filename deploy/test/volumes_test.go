package deploytest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// made are the Secrets that docs/kubernetes.md has operators make, with keys and what may be in them.
func made() map[string]map[string]string {
	return map[string]map[string]string{
		"portico": {"admin-credential": "a credential for tests\n", "redis-password": "secret\n", "apikeys.yaml": "keys: []\n"},
		"redis":   {"users.acl": "user default off\n"},
	}
}

// layOut writes the files of the pod into a folder, as kubelets do, and returns the path of the configuration. Paths in it lead
// into the folder.
func layOut(t *testing.T, all objects, pod corev1.PodSpec, c corev1.Container) (string, error) {
	t.Helper()

	root := t.TempDir()

	for _, mount := range c.VolumeMounts {
		at := slices.IndexFunc(pod.Volumes, func(v corev1.Volume) bool { return v.Name == mount.Name })
		if at < 0 {
			return "", fmt.Errorf("there is no volume %s", mount.Name)
		}

		files, err := projected(all, pod.Volumes[at])
		if err != nil {
			return "", err
		}

		for name, text := range files {
			path := filepath.Join(root, mount.MountPath, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				return "", err
			}

			text = strings.ReplaceAll(text, " "+mount.MountPath+"/", " "+root+mount.MountPath+"/")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				return "", err
			}
		}
	}

	at := slices.Index(c.Args, "--config")
	if at < 0 || at+1 == len(c.Args) {
		return "", fmt.Errorf("%s has no --config", c.Name)
	}

	return filepath.Join(root, c.Args[at+1]), nil
}

// projected returns the files of a projected volume.
func projected(all objects, v corev1.Volume) (map[string]string, error) {
	if v.Projected == nil {
		return nil, fmt.Errorf("volume %s is not projected", v.Name)
	}

	files := map[string]string{}

	for _, source := range v.Projected.Sources {
		if source.ConfigMap != nil {
			found, ok := named[*corev1.ConfigMap](all, "portico", source.ConfigMap.Name)
			if !ok {
				return nil, fmt.Errorf("there is no ConfigMap %s", source.ConfigMap.Name)
			}

			maps.Copy(files, found.Data)
		}

		if source.Secret != nil {
			for _, item := range source.Secret.Items {
				text, ok := made()[source.Secret.Name][item.Key]
				if !ok {
					return nil, fmt.Errorf("the Secret %s has no %s", source.Secret.Name, item.Key)
				}

				files[item.Path] = text
			}
		}
	}

	return files, nil
}

// mapped returns the content of the only file of the only ConfigMap that a pod mounts.
func mapped(all objects, namespace string, pod corev1.PodSpec) (string, error) {
	for _, v := range pod.Volumes {
		if v.ConfigMap == nil {
			continue
		}

		found, ok := named[*corev1.ConfigMap](all, namespace, v.ConfigMap.Name)
		if !ok {
			return "", fmt.Errorf("there is no ConfigMap %s", v.ConfigMap.Name)
		}

		for _, text := range found.Data {
			return text, nil
		}
	}

	return "", fmt.Errorf("no ConfigMap is mounted")
}
