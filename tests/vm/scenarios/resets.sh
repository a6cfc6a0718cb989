# Effects of a NIC's driver on its clock and timestamps, with the kernel's igb: everything that resets the adapter, five
# times each, and programs that set, step, and steer the clock. Edges must return within 5 s.
programs="gnss2shm ethtool phc_ctl phc2sys ptp4l"
judged=checks
lasts=500
needs=card

scenario() {
	start_chronyd
	start_receiver
	netdev=$(interface)
	clock=$nic
	nic=$netdev
	start_gnss2shm --status /run/status
	nic=$clock
	start_judge
	check "it locks" until_true 20 says " Locked"
	check "the driver says nothing of an error" no_errors
	ethtool -T "$netdev" >/results/ethtool 2>&1
	check "ethtool -T names the clock" grep -q "PTP Hardware Clock: ${nic#/dev/ptp}\$" /results/ethtool
	check "its pins are an i210's" test "$(pin_names)" = "SDP0 SDP1 SDP2 SDP3"

	for times in 1 2; do
		ip link set "$netdev" down
		check "$times: that its interface is down is named" until_true 10 said_times $times "$netdev is down"
		sleep 3
		ip link set "$netdev" up
		check_comes_back "$times: its interface is up again"
	done

	five_resets "ethtool -r" ethtool -r "$netdev"
	five_resets "down and up" down_and_up
	five_resets "another MTU" other_mtu
	five_resets "another ring" other_ring
	five "the link goes and comes" link_flap
	five "its driver unbound and bound" unbind_and_bind
	five "the clock set" phc_ctl -q "$nic" set
	five "the clock stepped by 37 s" phc_ctl -q "$nic" adj 37
	five "the clock stepped by the pulse's width" phc_ctl -q "$nic" adj "$width_s"
	check_comes_back "the clock was set and stepped"

	check "the clock's rate is set" phc_ctl -q "$nic" freq 50000
	check_comes_back "the clock is 50 ppm faster"
	start phc2sys phc2sys -m -q -s CLOCK_REALTIME -c "$nic" -O 0
	sleep 1
	check_comes_back "phc2sys took over the clock"
	sleep 5
	check "samples come while phc2sys steers the clock" publishes 8
	killall phc2sys
	start ptp4l ptp4l -m -q -i "$netdev" -l 6
	check "ptp4l is a master on the interface" until_true 20 grep -q "assuming the grand master role" /results/ptp4l.log
	check "samples come beside ptp4l" publishes 8
	killall ptp4l

	check "the driver says nothing of an error at the end either" no_errors
	check_clock
	check_judge
	check "the end" true
}

# five NAME COMMAND...: five times, with edges after each and a sample after the last. $slowest is the longest time until
# these edges; it waits for both edges of a pulse, so it is a second even without any effect.
five() {
	what=$1 slowest=0
	shift
	for n in 1 2 3 4 5; do
		"$@" >/tmp/command 2>&1 || check "$what, $n: $(tail -n 1 /tmp/command)" false
		from=$(uptime_s)
		had=$(edges)
		until_true 20 edges_since "$had" >/dev/null
		slowest=$(awk -v from="$from" -v slowest="$slowest" '{ t = $1 - from; print (t > slowest ? t : slowest) }' /proc/uptime)
	done
	echo "$what: edges after $slowest s at the latest" >>/results/figures
	check "$what, five times: edges within 5 s" awk -v slowest="$slowest" 'BEGIN { print slowest; exit slowest > 5 }'
	check_comes_back "$what"
}

# The same for events that must stop timestamping: pin and channel are set again after 3 s.
five_resets() {
	five "$@"
	check "$what: the adapter was reset" awk -v slowest="$slowest" 'BEGIN { print slowest; exit slowest < 2.5 }'
}

# Two more: both edges of a pulse.
edges_since() { # count
	[ "$(edges)" -ge $(($1 + 2)) ]
}

pin_names() {
	echo $(ls "/sys/class/ptp/${nic#/dev/}/pins")
}

no_errors() {
	! dmesg | grep -E "ig[bc]|$netdev" | grep -E "[Ee]rror|[Ff]ail|[Hh]ang|timed out"
}

down_and_up() {
	ip link set "$netdev" down
	ip link set "$netdev" up
}

other_mtu() {
	[ "$(cat "/sys/class/net/$netdev/mtu")" = 1500 ] && mtu=1400 || mtu=1500
	ip link set "$netdev" mtu $mtu
}

other_ring() {
	[ "${ring-}" = 512 ] && ring=256 || ring=512
	ethtool -G "$netdev" rx $ring
}

link_flap() {
	sim link 0
	until_true 5 carrier_is 0 && sim link 1 && until_true 5 carrier_is 1
}

carrier_is() {
	[ "$(cat "/sys/class/net/$netdev/carrier")" = "$1" ]
}

unbind_and_bind() {
	device=$(pci_device)
	driver=$(readlink -f "$device/driver")
	echo "${device##*/}" >"$driver/unbind" && echo "${device##*/}" >"$driver/bind" || return
	nic=$(ptp_named "$clock_name") # a different number if the old one was still open
	ip link set "$netdev" up
}
