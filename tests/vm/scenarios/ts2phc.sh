# For comparison: ts2phc disciplines the NIC's clock with pulse and sentences, phc2sys carries it to the system clock.
# Only the clock is judged. What could be told is told right: both edges come, and how wide the pulse is.
programs="ts2phc phc2sys"
judged=clock

scenario() {
	# ts2phc stops at a leap file that has expired, and its own table has. NTP's seconds: 1 January 2017, and next year.
	printf '#@ %d\n2272060800 10\n3692217600 37\n' $((start + 2208988800 + 31536000)) >/results/leap-seconds.list
	start_receiver
	# The NIC goes by TAI then, as the program's manual wants it...
	start ts2phc ts2phc -m -q -l 7 -c "$nic" -s nmea --ts2phc.nmea_serialport /dev/ttyS1 \
		--leapfile /results/leap-seconds.list --ts2phc.channel 0 --ts2phc.pin_index 0 \
		--ts2phc.extts_polarity both --ts2phc.pulsewidth "$width_ns" --step_threshold 0.1
	# ...and the system clock by UTC, 37 s behind it. A step is allowed whenever it is more than 0.1 s off, so that whatever
	# ts2phc settles on has reached the system clock at the end.
	start phc2sys phc2sys -m -q -s "$nic" -c CLOCK_REALTIME -O -37 -S 0.1
	judge_for "$seconds"
}
