# Sentences from a TCP server that reads the receiver's line; the rest as in serial.
programs="gnss2shm"
[ "$steer" = none ] || programs="$programs $steer"

scenario() {
	ip link set lo up
	start_chronyd
	start_receiver
	start_steering
	until_true 5 stty -F $tty "$baud" raw -echo
	start relay nc -ll -p 5000 -e cat $tty
	start gnss2shm gnss2shm run --tcp 127.0.0.1:5000 --phc "$nic" --pin SDP0 --shm 0 $extra
	judge_for "$seconds"
}
