# What a PTP client is told while pulse, fix, ptp4l, and the NIC's clock come and go: class 6 only while it is right. The
# NIC's clock starts right and keeps the rate of true time, so that no scenario time is spent on steering it.
programs="gnss2shm ip ptp4l pmc"
files="/usr/share/gnss2shm/grandmaster /usr/share/zoneinfo/right/UTC /etc/gnss2shm/default.toml"
judged=checks
lasts=240
: "${start:=$(($(date +%s) / 86400 * 86400 + 86400 + 43200))}"
phc_epoch=$((start + 37)) phc_ppb=$truth_ppb sys_offset=0

scenario() {
	# An unexpired list of the leap seconds of today.
	printf '#@ %d\n2272060800 10\n3692217600 37\n' $((start + 2208988800 + 31536000)) \
		>/usr/share/zoneinfo/leap-seconds.list
	mkdir -p /run/gnss2shm
	start_network
	start_chronyd "$(cat $recipe/chrony.conf)"
	start_receiver
	start_grandmaster
	check "without ptp4l, one sentence says so" until_true 8 gm_says "WARN.*ptp4l"
	start_client -s
	start_server ptp4l.conf
	start_gnss2shm --status /run/gnss2shm/default.sock
	start_judge
	watch_client &
	check "it locks" until_true 15 says " Locked"
	check "the audit is good" until_true 15 audit_is_good
	expect_6
	check_class 6 "all is well" 40
	check "what pmc reads is what --print prints" pmc_reads_what_is_printed
	echo "VmRSS of grandmaster: $(memory) kB" >>/results/figures
	check "its memory is below 4 MiB" test "$(memory)" -lt 4096

	sim pulse 0
	check_class 52 "the pulse is lost" 4
	expect_6
	sim pulse 1
	check_class 6 "the pulse is back" 30

	stop TERM "ptp4l -m -q -f"
	start_server ptp4l.conf
	check_class 248 "ptp4l was restarted" 8
	expect_6
	check_class 6 "grandmaster has noticed" 12

	step "$nic" 37000000000
	check_class 52 "the NIC's clock is 37 s off" 4
	expect_6
	step "$nic" -37000000000
	check_class 6 "the NIC's clock is right again" 30

	killall nmea-gen
	start_receiver --invalid 0:5
	check_class 52 "the fix is lost" 4
	expect_6
	check_class 6 "the fix is back" 60

	stop TERM "gnss2shm grandmaster"
	check_class 52 "grandmaster was ended" 1
	expect_6
	start_grandmaster
	check_class 6 "grandmaster is back" 30
	stop KILL "gnss2shm grandmaster"
	gnss2shm grandmaster --withdraw >>/results/grandmaster.log 2>&1
	check_class 52 "grandmaster was killed, then --withdraw" 1

	check "class 6 was seen only while all was well" class_6_only_when_expected
	check_judge
	check "the end" true
}

start_grandmaster() { # options
	start grandmaster gnss2shm grandmaster "$@"
}

gm_says() {
	grep -q "$1" /results/grandmaster.log
}
