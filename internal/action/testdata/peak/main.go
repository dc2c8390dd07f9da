// Command peak runs a command and prints its peak memory in KiB, as the last line
// on stderr. Linux counts memory from before the process executed the command, so
// the program that measures must be smaller than the one that is measured: this is,
// and a test binary is not.
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
