//go:build image

package main

import "testing"

// TestImageSteps runs each script of testdata/image with the image $IMAGE@$DIGEST.
func TestImageSteps(t *testing.T) { runScripts(t, "testdata/image") }
