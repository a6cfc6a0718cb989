# A grandmaster's clocks, without NTP: chronyd sets the system clock and its TAI offset, phc2sys or (from Linux 6.7 on)
# ts2phc steers the NIC's clock to TAI, which starts anywhere and is stepped by years meanwhile.
programs="gnss2shm phc2sys ts2phc"
files=/usr/share/zoneinfo/right/UTC
judged=checks
lasts=150

scenario() {
	linux_is_from 6 7 && limit_ns=200 || limit_ns=1000
	start_chronyd "$(cat $recipe/chrony.conf)"
	start_receiver
	start_gnss2shm --status /run/status
	steer_phc
	start_judge
	check "it locks" until_true 15 says " Locked"
	check_clock
	check "the NIC's clock becomes right" until_true 40 phc_is_within "$limit_ns"
	sleep 3
	check "and stays right" phc_stays_within "$limit_ns"
	check "the audit is right" until_true 5 audit_is_right
	check "the audit says TAI" audit_says '"timescale":"TAI"'

	# By 30 years: the steering program notices at its next pulse and steps it back.
	step "$nic" -946684800000000000
	check_comes_back "the NIC's clock was stepped by 30 years"
	sim nic_ppb 200000
	check_comes_back "its rate changed by 200 ppm"
	sleep 5
	check "the NIC's clock becomes right again" until_true 40 phc_is_within "$limit_ns"
	check "the audit is right again" until_true 5 audit_is_right
	check_clock
	echo "NIC's clock: $(phc_error) ns from TAI" >>/results/figures
	check_judge
	check "the end" true
}

phc_stays_within() { # ns
	for second in 1 2 3 4 5; do
		sleep 1
		phc_is_within "$1" | tee -a /results/phc.log
		phc_is_within "$1" >/dev/null || return 1
	done
}

audit_says() {
	gnss2shm status --socket /run/status --json | tee /results/status | grep -q "$1"
}

# The audit of the last pulse is what the module knows of it, to within the noise and 50 ns.
audit_is_right() {
	pulse=$(cat $at_pulse)
	audit_says '"phc":{' || { echo "no audit"; return 1; }
	[ "$pulse" = "$(cat $at_pulse)" ] || { echo "a pulse came meanwhile"; return 1; }
	age=$(sed 's/.*"phc":{[^}]*"age_ms":\([0-9]*\).*/\1/' /results/status)
	[ "$age" -lt 900 ] || { echo "$age ms old"; return 1; }
	audit=$(sed 's/.*"phc":{[^}]*"utc_offset_ns":\([-0-9]*\).*/\1/' /results/status)
	miss=$((audit + ${pulse#*,}))
	echo "the audit is off by $miss ns" | tee -a /results/audit.log
	[ $miss -le $((50 + noise_ns)) ] && [ $miss -ge $((-50 - noise_ns)) ]
}
