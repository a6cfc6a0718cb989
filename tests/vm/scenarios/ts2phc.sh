# For comparison: ts2phc disciplines the NIC's clock with pulse and sentences, phc2sys transfers it to the system clock.
# Only the clock is judged. Known values are configured correctly: both edges arrive, and the pulse width.
programs="ts2phc phc2sys"
judged=clock

scenario() {
	# ts2phc refuses an expired leap file, and its own table has expired. NTP's seconds: 1 January 2017, and next year.
	printf '#@ %d\n2272060800 10\n3692217600 37\n' $((start + 2208988800 + 31536000)) >/results/leap-seconds.list
	start_receiver
	# The NIC's clock is in TAI, as the program's manual requires...
	start ts2phc ts2phc -m -q -l 7 -c "$nic" -s nmea --ts2phc.nmea_serialport /dev/ttyS1 \
		--leapfile /results/leap-seconds.list --ts2phc.channel 0 --ts2phc.pin_index 0 \
		--ts2phc.extts_polarity both --ts2phc.pulsewidth "$width_ns" --step_threshold 0.1
	# ...and the system clock by UTC, 37 s behind it. Steps are always allowed above 0.1 s, so that ts2phc's result reaches
	# the system clock by the end.
	start phc2sys phc2sys -m -q -s "$nic" -c CLOCK_REALTIME -O -37 -S 0.1
	judge_for "$seconds"
}
