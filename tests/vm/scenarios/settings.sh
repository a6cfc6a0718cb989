# Wrong settings are refused with the right status and words, and `run` restores what it changes.
programs="gnss2shm"
judged=checks
lasts=200
port=/dev/ttyS1

launch() { # arguments of gnss2shm run; its log is gnss2shm.log, for this launch only
	cat /results/gnss2shm.log >>/results/gnss2shm.before 2>/dev/null
	gnss2shm run --serial $port --baud "$baud" --phc "$nic" --shm 0 "$@" >/results/gnss2shm.log 2>&1 &
	pid=$!
}

# ends_at_once SIGNAL: whether it exits with status 0 within a second.
ends_at_once() {
	kill -"$1" $pid
	since=$(awk '{ print $1 }' /proc/uptime)
	wait $pid
	status=$?
	took=$(awk -v since="$since" '{ print $1 - since }' /proc/uptime)
	echo "status $status after $took s"
	[ $status = 0 ] && awk -v took="$took" 'BEGIN { exit took > 1 }'
}

pin_is() { # name, function and channel
	now=$(cat "/sys/class/ptp/${nic#/dev/}/pins/$1")
	echo "$1 is set to $now"
	[ "$now" = "$2" ]
}

segment_is() { # words of judge --peek
	judge --peek | tee /tmp/peek
	grep -q "$1" /tmp/peek
}

# No timestamp is queued in two seconds of pulses.
stamps_nothing() {
	fifo=/sys/class/ptp/${nic#/dev/}/fifo
	while [ -n "$(cat "$fifo")" ]; do :; done
	sleep 2
	[ -z "$(cat "$fifo")" ]
}

receiver() { # options of nmea-gen, which replaces the previous one
	killall nmea-gen 2>/dev/null
	start_receiver "$@"
}

scenario() {
	check "the pin is free" pin_is SDP0 "0 0"

	check "no such pin: the sentence names those that exist" refused 78 "SDP7.*SDP0, SDP1, SDP2, SDP3" \
		--phc "$nic" --pin SDP7
	check "no such pin by number" refused 78 "no pin 4.*SDP0, SDP1, SDP2, SDP3" --phc "$nic" --pin 4
	check "channel out of range" refused 78 "no channel 2; its last channel is 1" --phc "$nic" --pin SDP0 --channel 2
	check "a path to something else" refused 78 "/dev/null is not a PTP hardware clock" --phc /dev/null
	check "a clock without timestamps" refused 69 "no external timestamps" --phc "$(ptp_named truth)"
	check "an interface without a clock" refused 69 "lo has no PTP hardware clock" --phc lo
	check "two receivers" refused 64 "only one receiver can be used" --gpsd --phc "$nic"
	check "a pin without a PTP hardware clock" refused 64 "pin belongs to --phc" --pps /dev/pps0 --pin SDP0
	port=/dev/null
	check "a serial port that is none" refused 78 "/dev/null is not a serial port" --phc "$nic"
	port=/dev/ttyS1
	check "refusals leave the pins alone" pin_is SDP0 "0 0"

	# Without chronyd, which consumes samples.
	echo "1 1" >"/sys/class/ptp/${nic#/dev/}/pins/SDP1"
	receiver
	launch --pin SDP0
	check "it locks" until_true 15 says " Locked"
	check "the pin is set" pin_is SDP0 "1 0"
	check "it publishes" until_true 3 segment_is valid=1
	check "SIGTERM ends it at once" ends_at_once TERM
	check "SIGTERM leaves no valid sample" segment_is valid=0
	check "SIGTERM leaves the pin as it was" pin_is SDP0 "0 0"
	check "SIGTERM stops the timestamps" stamps_nothing
	launch --pin SDP1
	check "another pin's function is taken" until_true 3 pin_is SDP1 "1 0"
	check "an unwired pin gives no pulse and says so" until_true 15 says "no pulse edges arrive"
	check "SIGINT ends it at once" ends_at_once INT
	check "SIGINT gives the pin its function back" pin_is SDP1 "1 1"

	# From here on with chronyd and the judge.
	start_chronyd
	start_judge
	launch
	check "it locks without a pin given" until_true 15 says " Locked"
	sleep 3
	{ kill -9 $pid; wait $pid; } 2>/dev/null
	check "SIGKILL leaves the pin set" pin_is SDP0 "1 0"
	launch
	check "it locks again after SIGKILL" until_true 15 says " Locked"

	receiver --heard-at 4800
	check "a line heard too slowly coasts, then" until_true 15 says "Coasting"
	check "a wrong baud rate does not end it" ends_at_once TERM
	launch
	check "a line heard at 4800 instead of $baud is named" until_true 15 says "the baud rate may be wrong"
	receiver --heard-at 38400
	kill $pid; wait $pid
	launch
	check "a line heard at 38400 instead of $baud is named" until_true 15 says "the baud rate may be wrong"
	receiver
	check "it locks when the rate is right" until_true 15 says " Locked"

	check_judge
	check "the end" true
}
