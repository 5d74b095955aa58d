//go:build tools

package tools

import (
	_ "github.com/mutagen-io/mutagen/cmd/mutagen"
	_ "github.com/mutagen-io/mutagen/cmd/mutagen-agent"
)
