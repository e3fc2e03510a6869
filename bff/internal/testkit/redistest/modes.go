package redistest

import (
	"testing"

	"github.com/portico-gateway/portico/bff/config"
)

// clusterNodes is the least that a Redis Cluster has.
const clusterNodes = 3

// EachMode runs a test over one server, a primary with a Sentinel, and a Cluster.
func EachMode(t *testing.T, test func(t *testing.T, settings config.Redis)) {
	t.Helper()

	for mode, open := range map[string]func(tb testing.TB) config.Redis{
		config.RedisSingle: func(tb testing.TB) config.Redis {
			tb.Helper()
			return config.Redis{URL: Start(tb).URL()}
		},
		config.RedisSentinel: func(tb testing.TB) config.Redis {
			tb.Helper()
			return StartSentinel(tb).Settings()
		},
		config.RedisCluster: func(tb testing.TB) config.Redis {
			tb.Helper()
			return ClusterSettings(StartCluster(tb, clusterNodes))
		},
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

// Settings are those of a gateway.
func (s *Sentinels) Settings() config.Redis {
	return config.Redis{Mode: config.RedisSentinel, Addresses: []string{s.Sentinel.Addr}, MasterName: MasterName}
}

// ClusterSettings are those of a gateway, which finds the others of the nodes by the first.
func ClusterSettings(nodes []*Server) config.Redis {
	return config.Redis{Mode: config.RedisCluster, Addresses: []string{nodes[0].Addr}}
}
