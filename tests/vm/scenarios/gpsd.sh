# The receiver through a real gpsd, which reads the serial line; the pulse on SDP0, samples to chronyd, which steers.
# gpsd is stopped, killed, and frozen, and restarted each time. It uses units 0 to 11, so gnss2shm uses another.
programs="gnss2shm gpsd"
lasts=100
unit=12

scenario() {
	mkdir -p /var/run
	ifconfig lo 127.0.0.1 up
	echo '127.0.0.1 localhost' >/etc/hosts
	start_chronyd
	start_receiver
	gpsd_again
	start gnss2shm gnss2shm run --gpsd localhost:2947 --phc "$nic" --pin SDP0 --shm $unit $extra
	start_judge
	sleep 30
	gpsd_gone TERM 4
	gpsd_gone KILL 8
	killall -STOP gpsd
	sleep 5
	killall -CONT gpsd
	wait "$judge"
	for report in tracking sources sourcestats; do
		chronyc -n "$report"
	done >/results/chronyc.log 2>&1
}

# To keep the scenario simple, gpsd does not probe the receiver, and its rate is given.
gpsd_again() {
	start gpsd gpsd -n -N -b -s "$baud" /dev/ttyS1
}

# gpsd_gone SIGNAL SECONDS
gpsd_gone() {
	killall "-$1" gpsd
	sleep "$2"
	gpsd_again
	sleep 10
}
