# The system clock is stepped by others, and chronyd goes away and comes back.
programs="gnss2shm"
judged=checks
lasts=260

scenario() {
	start_chain 15
	check "chronyd follows" until_true 20 followed

	killall chronyd
	sleep 4
	check "samples come without chronyd" publishes 5
	start_chronyd
	check "a new chronyd follows" until_true 20 followed

	# By half a second, and by as much as the two edges are apart, either way; chronyd slews each of them away again.
	for ns in 500000000 "$width_ns" "-$width_ns"; do
		step system "$ns"
		sleep 0.5
		check_comes_back "the system clock was stepped by $ns ns"
		sleep 10
		# Around each change of its rate a sample is passed over.
		check_comes_back "it is slewed"
	done

	check_clock
	check_judge
	check "the end" true
}
