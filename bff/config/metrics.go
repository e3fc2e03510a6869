package config

// Metrics is how metrics are shown on the admin listener.
type Metrics struct {
	// NativeHistograms adds native histograms to the durations, for a Prometheus that scrapes them (scrape_native_histograms).
	// Their buckets are at most 10 % wide, and each series takes some 2 KB more. The other buckets stay. Default false.
	NativeHistograms bool `env:"NATIVE_HISTOGRAMS" yaml:"native_histograms"`
}
