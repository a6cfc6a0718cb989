# For comparison: chronyd reads the pulse directly from the NIC and takes the second from gpsd, which reads the serial
# line. Only the clock is judged: gpsd's samples are inherently late. Known values are configured correctly: both edges
# arrive, and the pulse width. A value that would have to be measured is not: the offset of gpsd's samples, which is the
# sentence delay. gnss2shm does not get it either.
programs="gpsd"
judged=clock

scenario() {
	mkdir -p /var/run
	# A delay of half a second expresses the inaccuracy of the sentences. They are also a separate source, but not
	# preferred: with noselect, as in the manual, the clock stays 1000 s off if the pulse does not lock.
	start_chronyd "refclock SHM 0 poll 2 refid NMEA delay 0.5
		refclock PHC $nic:extpps:pin=0 poll 2 dpoll -1 width $width_s lock NMEA refid PPS prefer"
	start_receiver
	start gpsd gpsd -n -N -b -s "$baud" /dev/ttyS1
	judge_for "$seconds"
}
