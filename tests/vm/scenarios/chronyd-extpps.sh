# For comparison: chronyd reads the pulse from the NIC itself and takes the second from gpsd, which is on the line.
# Only the clock is judged: gpsd's samples are late by nature and are not meant to be exact. What could be told is told
# right: both edges come, and how wide the pulse is. What would have to be measured first is not: an offset for gpsd's
# samples, which is the sentence delay. gnss2shm is not told it either.
programs="gpsd"
judged=clock

scenario() {
	mkdir -p /var/run
	# A delay of half a second says how loose the sentences are. They are a source of their own, too, though not a
	# preferred one: with noselect, as the manual has it, the clock stays 1000 s off where the pulse does not lock.
	start_chronyd "refclock SHM 0 poll 2 refid NMEA delay 0.5
		refclock PHC $nic:extpps:pin=0 poll 2 dpoll -1 width $width_s lock NMEA refid PPS prefer"
	start_receiver
	start gpsd gpsd -n -N -b -s "$baud" /dev/ttyS1
	judge_for "$seconds"
}
