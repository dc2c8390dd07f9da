// Command peak runs a command and says, in a last line on stderr, how many KiB
// of memory it held at most. Linux counts a process's memory from before it
// became another program, so whoever measures must be smaller than what is
// measured: this is, and a test binary is not.
package main

import (
	"os"
	"strconv"
	"syscall"
)

func main() {
	pid, err := syscall.ForkExec(os.Args[1], os.Args[1:], &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{0, 1, 2}})
	if err != nil {
		os.Stderr.WriteString(err.Error())
		os.Exit(1)
	}
	var status syscall.WaitStatus
	var usage syscall.Rusage
	for {
		if _, err = syscall.Wait4(pid, &status, 0, &usage); err != syscall.EINTR {
			break
		}
	}
	os.Stderr.WriteString("\n" + strconv.FormatInt(usage.Maxrss, 10) + "\n")
	os.Exit(status.ExitStatus())
}
