# For comparison: chronyd reads the pulse from the NIC itself and takes the second from gpsd.
# Only the clock is judged: gpsd's samples are late by nature and are not meant to be exact.
programs="gpsd"
judged=clock

scenario() {
	mkdir -p /var/run
	start_chronyd "refclock SHM 0 poll 2 refid NMEA delay 0.5
		refclock PHC $nic:extpps:pin=0 poll 2 dpoll -1 width $width_s lock NMEA refid PPS"
	start_receiver
	start gpsd gpsd -n -N -b -s "$baud" /dev/ttyS1
	judge_for "$seconds"
}
