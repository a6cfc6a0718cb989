# Faults of the pulse and the NIC's clock: no pulse, timestamping disarmed, the clock stepped and steered by others,
# another program that reads the timestamps.
programs="gnss2shm phc2sys ethtool"
judged=checks
lasts=260

scenario() {
	start_chain 15
	sleep 5

	sim pulse 0
	sleep 4
	check "no pulse, no samples" publishes_nothing 8
	check "no pulse is named" says "no pulse edges arrive"
	sim pulse 1
	check_comes_back "the pulse is back"
	sleep 3

	disarm 1
	check_comes_back "timestamping was disarmed"
	sleep 3
	disarm 2
	sleep 1
	check_comes_back "timestamping was disarmed and the clock jumped to system time"
	sleep 3

	# By a large amount, and by the distance between the two edges, in both directions.
	for ns in 37000000000 "$width_ns" "-$width_ns"; do
		step "$nic" "$ns"
		sleep 0.5
		check_comes_back "the clock was stepped by $ns ns"
		sleep 5
	done

	sim nic_ppb 500000
	check_comes_back "the clock's rate changed by 500 ppm"
	sleep 5

	# It first steps the clock by many years.
	start phc2sys phc2sys -m -q -s CLOCK_REALTIME -c "$nic" -O 0
	phc2sys=$!
	sleep 0.5
	check_comes_back "phc2sys took over the clock"
	sleep 5
	check "samples come while phc2sys steers the clock" publishes 10
	killall phc2sys
	sleep 2

	# Both readers share one queue; the faster one gets the edge.
	dd if="$nic" of=/tmp/stolen bs=32 2>/dev/null &
	thief=$!
	sleep 20
	kill $thief
	check_comes_back "another program has taken $(($(wc -c </tmp/stolen) / 32)) edges"
	check "some edges were taken" test -s /tmp/stolen

	check_judge
	check "the end" true
}
