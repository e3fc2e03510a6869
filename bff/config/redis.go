package config

import "time"

// Redis is one server, the primary that Sentinels name, or a Cluster. There is none without URL, URLFile and Addresses.
type Redis struct {
	// URL is that of the server: redis://user:password@host:port/database, or rediss:// for TLS. It is for the mode single.
	URL string `env:"URL" secret:"url" yaml:"url"`
	// URLFile is a file with the URL. It is read again when it changes; a new password is for new connections, anything else is for
	// the next start.
	URLFile string `env:"URL_FILE" yaml:"url_file"`
	// Mode is what is at the addresses: single, one server; sentinel, the Sentinels that watch it; or cluster, some nodes of a
	// Redis Cluster. Default single.
	Mode string `default:"single" enum:"single,sentinel,cluster" env:"MODE" yaml:"mode"`
	// Addresses are used instead of a URL, each host:port: that of the server, of Sentinels, or of nodes. All others are found
	// through them.
	Addresses []string `env:"ADDRESSES" yaml:"addresses"`
	// MasterName is what the Sentinels call the server.
	MasterName string `env:"MASTER_NAME" yaml:"master_name"`
	// Username is a user of its access control lists (ACL). Default: the user named default.
	Username string `env:"USERNAME" yaml:"username"`
	// Password is that of the user.
	Password string `env:"PASSWORD" secret:"true" yaml:"password"`
	// PasswordFile is a file with the password. It is read again when it changes, for new connections.
	PasswordFile string `env:"PASSWORD_FILE" yaml:"password_file"`
	// SentinelUsername is the user of the Sentinels.
	SentinelUsername string `env:"SENTINEL_USERNAME" yaml:"sentinel_username"`
	// SentinelPassword is the password of that user.
	SentinelPassword string `env:"SENTINEL_PASSWORD" secret:"true" yaml:"sentinel_password"`
	// SentinelPasswordFile is a file with that password. It is read at the start.
	SentinelPasswordFile string `env:"SENTINEL_PASSWORD_FILE" yaml:"sentinel_password_file"`
	// Database is its number. A Cluster has only 0. Default 0.
	Database int `env:"DATABASE" yaml:"database"`
	// TLS encrypts the connections, also those to Sentinels.
	TLS RedisTLS `envPrefix:"TLS_" yaml:"tls"`
	// Timeout bounds each use. Default 100ms.
	Timeout time.Duration `default:"100ms" env:"TIMEOUT" yaml:"timeout"`
	// Prefix is put before all keys. Default "portico:".
	Prefix string `default:"portico:" env:"PREFIX" yaml:"prefix" zero:"none"`
}

// The values of Redis.Mode.
const (
	RedisSingle   = "single"
	RedisSentinel = "sentinel"
	RedisCluster  = "cluster"
)

// RedisTLS is TLS towards Redis. The files, in PEM, are read again when they change, for new connections.
type RedisTLS struct {
	// Enabled turns it on; so does any of the others, and a URL that begins with rediss://.
	Enabled bool `env:"ENABLED" yaml:"enabled"`
	// CAFile are the authorities that vouch for Redis. Default: those of the system.
	CAFile string `env:"CA_FILE" yaml:"ca_file"`
	// CertFile and KeyFile are what the gateway shows to Redis (mTLS).
	CertFile string `env:"CERT_FILE" yaml:"cert_file"`
	KeyFile  string `env:"KEY_FILE"  yaml:"key_file"`
	// ServerName is the name to expect in its certificate, and in those of Sentinels and all nodes. Default: the host that is
	// dialed.
	ServerName string `env:"SERVER_NAME" yaml:"server_name"`
}

// On reports whether there is one.
func (r Redis) On() bool { return r.URL != "" || r.URLFile != "" || len(r.Addresses) > 0 }

// On reports whether TLS is used, whatever a URL says.
func (t RedisTLS) On() bool { return t != RedisTLS{} }
