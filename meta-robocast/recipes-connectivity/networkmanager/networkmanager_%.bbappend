# Wi-Fi and LTE; without the shell of ifupdown, the server of dnsmasq, and readline, which is GPL-3.0.
PACKAGECONFIG:robocast-os = "gnutls libedit modemmanager nmcli systemd wifi wwan"
