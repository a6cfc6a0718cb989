# A u-blox receiver: its binary messages between sentences and alone, unknown UTC, and the sawtooth of its pulse, which
# it reports. Without chronyd and anything else that adds nanoseconds of noise.
programs="gnss2shm"
judged=checks
lasts=220
crosststamp=precise noise_ns=0

scenario() {
	sawtooth_ns=20
	sim sawtooth_ns $sawtooth_ns
	start_judge

	# Until then, its seconds look valid but are 1 s off.
	sentences=RMC,GGA,PUBX,TIMEUTC,TIMEGPS,TIMTP
	start_receiver --utc-unknown 0:20
	start_gnss2shm
	check "that it does not know UTC is named" until_true 15 says "does not know the current leap seconds yet"
	check "before it knows UTC there are no samples" publishes_nothing 5
	check "it locks when it knows" until_true 25 says " Locked"
	check "sentences and messages: samples come" publishes 5
	errors_of 25
	plain=$worst
	check "the pulse's sawtooth is in the samples: $plain ns" test "$plain" -ge 15

	restart --sawtooth
	check "corrected, it locks" until_true 15 says " Locked"
	errors_of 25
	check "corrected, they are better: $median ns, $worst at worst" better

	# Binary messages alone: pulses announced in UTC, and in GPS time.
	receiver TIMEUTC,TIMTP
	restart --sawtooth
	check "messages alone: it locks" until_true 15 says " Locked"
	errors_of 15
	check "messages alone: they are as good: $median ns, $worst at worst" better
	receiver TIMEUTC,TIMELS,TIMTP --gps-base
	restart --sawtooth
	check "pulses in GPS time: it locks" until_true 15 says " Locked"
	errors_of 15
	check "pulses in GPS time: they are as good: $median ns, $worst at worst" better

	# None of them names UTC.
	receiver TIMEGPS,TIMTP
	restart --sawtooth
	check "a binary line without a time is named" until_true 15 says "Searching: the receiver speaks u-blox's binary protocol"
	check "it gives no samples" publishes_nothing 5
	check_judge
	check "the end" true
}

receiver() { # sentences, options of nmea-gen
	killall nmea-gen
	sentences=$1
	shift
	start_receiver "$@"
}

restart() { # options
	killall gnss2shm
	until_true 5 says "ended with status"
	start_gnss2shm "$@"
}

# errors_of SECONDS: the median and the largest error, ns, in $median and $worst, of the samples from now on.
errors_of() {
	had=$(wc -l </results/judge.log)
	sleep "$1"
	tail -n +$((had + 1)) /results/judge.log | awk '$1 == "sample" { print $3 < 0 ? -$3 : $3 }' | sort -n >/tmp/errors
	worst=$(tail -n 1 /tmp/errors)
	median=$(sed -n "$((($(wc -l </tmp/errors) + 1) / 2))p" /tmp/errors)
}

# By far, except for a pulse whose report was lost on a busy host: that one is not corrected. A wrong sign would double
# the worst error; the neighboring pulse's correction would leave a third of the sawtooth in every sample.
better() {
	[ $((median * 4)) -lt "$plain" ] && [ "$worst" -le $((plain + 4)) ]
}
