# Short pulses on a card with one capture register per channel: which edges its driver delivers, and whether gnss2shm is
# right or reports why there are no samples. --latency and --capture set what happens to an edge that arrives too early.
programs="gnss2shm"
judged=checks
lasts=400
needs=card

scenario() {
	# Count samples only after chronyd's steps.
	start_chain 20
	check_clock
	stop_gnss2shm
	for width in 1000 10000 50000 100000 1000000; do
		sim width_ns $width
		start_gnss2shm --status /run/status
		sleep 20
		edges=$(edges) had=$(count)
		sleep 10
		edges=$((($(edges) - edges) / 10)) samples=$((($(count) - had) / 2))
		gnss2shm status --socket /run/status --json >/tmp/status
		says=$(sed 's/.*"state":"\([A-Za-z]*\)".*/\1/' /tmp/status) reason=$(sed -n 's/.*"reason":"\([-a-z]*\)".*/\1/p' /tmp/status)
		echo "$((width / 1000)) us: $edges edges a second, $samples samples in 10 s, $says $reason" >>/results/figures
		check "$((width / 1000)) us: edges are lost as they must be" test "$edges" = $((1 + (width >= latency_ns)))
		check "$((width / 1000)) us: right, or silent by name" right_or_named
		stop_gnss2shm
		mv /results/gnss2shm.log "/results/gnss2shm-$width.log"
	done
	check_judge
	check "the end" true
}

right_or_named() {
	echo "$samples samples, $says $reason"
	# A sample or two are omitted when chronyd changes the clock's rate.
	[ "$samples" -ge 8 ] || [ "$samples $reason" = "0 edge-lost" ]
}

stop_gnss2shm() {
	kill "$(pidof gnss2shm)"
	until_true 5 is_gone
}

is_gone() {
	! pidof gnss2shm >/dev/null
}
