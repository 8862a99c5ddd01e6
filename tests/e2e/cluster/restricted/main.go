// SPDX-License-Identifier: MIT

// Says what Kubernetes' own judge of pods has against the pod templates on
// standard input, a JSON array of them, by the standard "restricted": a line for
// each, "allowed" or what is forbidden.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	var pods []corev1.PodTemplateSpec
	decoder := json.NewDecoder(os.Stdin)
	decoder.DisallowUnknownFields()
	fail(decoder.Decode(&pods))
	judge, err := policy.NewEvaluator(policy.DefaultChecks())
	fail(err)
	level := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	for _, pod := range pods {
		result := policy.AggregateCheckResults(
			judge.EvaluatePod(level, &pod.ObjectMeta, &pod.Spec))
		if result.Allowed {
			fmt.Println("allowed")
		} else {
			fmt.Println(result.ForbiddenDetail())
		}
	}
}
