# What a PTP client is told while a leap second is inserted at the end of the year; with --leap-says none, at the end of a
# year without one.
programs="gnss2shm ip ptp4l pmc zic"
files=/usr/share/zoneinfo/leapseconds
judged=checks
lasts=150
: "${start:=$(($(date -d "$(date +%Y)-01-01 +1 year UTC" +%s) - 60))}"
leap_at=$((start + 60))
phc_epoch=$((start + 37)) phc_ppb=$truth_ppb sys_offset=0

scenario() {
	[ "$leap_says" != none ] || { month; return; }
	# Both tables of leap seconds have it: the list of the IERS, and tzdata's right/UTC.
	printf '#@ %d\n2272060800 10\n3692217600 37\n%d 38\n' $((leap_at + 2208988800 + 31536000)) \
		$((leap_at + 2208988800)) >/usr/share/zoneinfo/leap-seconds.list
	{
		grep ^Leap /usr/share/zoneinfo/leapseconds
		date -u -d "@$((leap_at - 1))" '+Leap %Y Dec 31 23:59:60 + S'
	} >/tmp/leapseconds
	echo 'Zone UTC 0 - UTC' | zic -d /usr/share/zoneinfo/right -L /tmp/leapseconds -

	mkdir -p /run/gnss2shm
	start_network
	start_server ptp4l.conf
	start_client -s
	start_chronyd "$(cat $recipe/chrony.conf)"
	start_receiver --leap-at "$leap_at" --leap-says "$leap_says"
	start_gnss2shm --status /run/gnss2shm/default.sock
	start grandmaster gnss2shm grandmaster default
	start_judge
	watch_client &
	check "it is announced, with class 6" until_true 50 client_sees 6 37 1 1
	check "truth was set back" until_true 60 grep -q "^leap " /results/judge.log
	check "what holds after it is announced, with class 6" until_true 60 client_sees 6 38 1 0
	sleep 3
	killall -TERM judge
	check "the old offset is never seen with class 6 after it" never_late
	check "nor again after the new one" never_again
	awk '{ now = $3 " " $4 " " $5 " " $6 } now != last { print $2 ": class, offset, valid, leap61: " now; last = now }' \
		/results/client-saw >>/results/figures
	check "the end" true
}

# Class 6 is not interrupted, although nothing is published around midnight.
month() {
	printf '#@ %d\n2272060800 10\n3692217600 37\n' $((leap_at + 2208988800 + 31536000)) \
		>/usr/share/zoneinfo/leap-seconds.list
	echo 'Zone UTC 0 - UTC' | zic -d /usr/share/zoneinfo/right -L /usr/share/zoneinfo/leapseconds -
	mkdir -p /run/gnss2shm
	start_network
	start_server ptp4l.conf
	start_client -s
	start_chronyd "$(cat $recipe/chrony.conf)"
	start_receiver
	start_gnss2shm --status /run/gnss2shm/default.sock
	start grandmaster gnss2shm grandmaster default
	watch_client &
	check "class 6" until_true 50 client_sees 6 37 1 0
	began=$(uptime_s)
	check "nothing is published around midnight" until_true 60 says "Refusing: the end of a month"
	sleep 35
	check "class 6 is not interrupted" always_6
	check "the end" true
}

always_6() {
	! awk -v began="$began" '$1 > began && ($3 != 6 || $4 != 37 || $6 != 0)' /results/client-saw | tee /results/figures | grep .
}

# client_sees CLASS OFFSET VALID LEAP61
client_sees() {
	tail -n 1 /results/client-saw | cut -d ' ' -f 3- | tee /tmp/sees | grep -qx "$*" || { cat /tmp/sees; return 1; }
}

# The second before midnight is counted twice, and a look takes a while: from the first whole second on.
never_late() {
	! awk -v leap="$leap_at" '$2 >= leap + 1 && $3 == 6 && ($4 == 37 || $6 == 1)' /results/client-saw | grep .
}

never_again() {
	! awk '$4 == 38 && $6 == 0 { new = 1; next } new' /results/client-saw | grep .
}
