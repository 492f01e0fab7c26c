//go:build !wasip1

package casemate

import (
	"fmt"
	"os"
)

// A native build has no host, so that a plugin's own tests compile and run.
func ask(hostMethod string, _ bool, _ []byte) (reply, error) {
	return reply{}, Fail("no_host", "host call `%s`: this is a native build, which has no host", hostMethod)
}

func logLine(level Level, line string) { fmt.Fprintf(os.Stderr, "[%d] %s\n", level, line) }

// Cancelled says whether the running call is over its deadline.
func Cancelled() bool { return false }
