# Wi-Fi and LTE; without ifupdown's shell script, the dnsmasq server, and readline, which is GPL-3.0.
PACKAGECONFIG:robocast-os = "gnutls libedit modemmanager nmcli systemd wifi wwan"
