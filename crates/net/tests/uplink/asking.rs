//! Queries through one uplink, with another beside it that answers differently.

use crate::manager::{side_up, two, well};
use crate::world::{World, world};
use robocast_config::Url;
use robocast_daemon::journal;
use robocast_dial::Resolver;
use robocast_net::uplink::desired::ProbeTarget;
use robocast_net::uplink::egress::Egress;
use robocast_net::uplink::probe::probe_uplink;
use robocast_net::uplink::{UplinkManager, resolved};
use robocast_system::timesyncd::set_time_servers;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use zbus::connection;

const HOST: &str = "live.example.net";

/// Both uplinks up; behind `wl0` a login page, behind `eth1` the media server.
async fn hotel_and_wire(world: &World) -> (Egress, Egress) {
    for (name, router, server) in [("wl0", "10.1.0.1", "10.1.0.1"), ("eth1", "10.2.0.1", "203.0.113.10")] {
        world.address(name, &format!("{router}/24"));
        crate::world::ip(&format!("-n {name} address add {server}/32 dev lo"));
        world.name_server(name, HOST, server);
    }
    world.far("wl0", LOGIN);
    world.serve("wl0", "0.0.0.0", 1935);
    world.serve("eth1", "203.0.113.10", 1935);
    let mut side = UplinkManager::new(Duration::from_secs(6));
    well(&mut side, &two(world)).await;
    world.until("both are up", || side_up(&["wl0", "eth1"])).await;
    side.refresh().await.unwrap();
    let egress = |name: &str, dns: &str| {
        let egress = side.egress(name).unwrap();
        Egress { dns: vec![dns.parse().unwrap()], ..egress }
    };
    (egress("wl0", "10.1.0.1"), egress("eth1", "10.2.0.1"))
}

const LOGIN: &str = "
import http.server
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(302)
        self.send_header('Location', 'http://login.hotel.example/')
        self.end_headers()
    def log_message(self, *told): pass
server = http.server.HTTPServer(('0.0.0.0', 80), Page)
print('up', flush=True)
server.serve_forever()
";

/// The addresses of the host, as an uplink's own name servers know them.
async fn lookup(egress: &Egress) -> std::io::Result<Vec<IpAddr>> {
    Resolver::without_bus().lookup(HOST, &egress.link()).await
}

#[test]
fn each_uplink_is_asked_by_itself_and_a_login_page_is_named() {
    world(async |world| {
        let (hotel, wire) = hotel_and_wire(world).await;
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        for egress in [&hotel, &wire] {
            let up = tokio::time::timeout(Duration::from_secs(15), async {
                while lookup(egress).await.is_err() {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            });
            up.await.expect("its name server is up");
        }
        assert_eq!(lookup(&hotel).await.unwrap(), [ip("10.1.0.1")]);
        assert_eq!(lookup(&wire).await.unwrap(), [ip("203.0.113.10")]);
        let target = [ProbeTarget { host: HOST.into(), port: Some(1935) }];
        let probed = probe_uplink(&hotel, &target, None).await.unwrap();
        assert_eq!(probed.interface, "wl0");
        let why = journal::chain(&probed.result.unwrap_err());
        assert!(why.contains("a login page is in the way (login.hotel.example)"), "{why}");
        let probed = probe_uplink(&wire, &target, None).await.unwrap();
        assert!(probed.result.is_ok(), "{probed:?}");
        // No listener; no such name; nothing to ask.
        let probed =
            probe_uplink(&wire, &[ProbeTarget { host: HOST.into(), port: Some(1936) }], None).await.unwrap();
        assert!(journal::chain(&probed.result.unwrap_err()).contains("refused"));
        let probed =
            probe_uplink(&wire, &[ProbeTarget { host: "other.example".into(), port: Some(1935) }], None)
                .await
                .unwrap();
        assert!(journal::chain(&probed.result.unwrap_err()).contains("other.example is not reached"));
        assert_eq!(probe_uplink(&wire, &[], None).await, None);
        // The page from the settings must answer exactly.
        let page = Url::parse(&format!("http://{HOST}/generate_204")).unwrap();
        let why = journal::chain(&probe_uplink(&hotel, &[], Some(&page)).await.unwrap().result.unwrap_err());
        assert!(why.contains("login.hotel.example"), "{why}");
        let why = journal::chain(&probe_uplink(&wire, &[], Some(&page)).await.unwrap().result.unwrap_err());
        assert!(why.contains("is not reached"), "{why}");
    });
}

type Calls = Arc<Mutex<Vec<(i32, bool)>>>;

struct Resolved(Calls);

#[zbus::interface(name = "org.freedesktop.resolve1.Manager")]
impl Resolved {
    fn set_link_default_route(&self, ifindex: i32, enable: bool) {
        self.0.lock().unwrap().push((ifindex, enable));
    }
}

#[derive(Default)]
struct Timesync(Vec<String>);

#[zbus::interface(name = "org.freedesktop.timesync1.Manager")]
impl Timesync {
    #[zbus(name = "SetRuntimeNTPServers")]
    fn set_runtime_ntp_servers(&mut self, servers: Vec<String>) {
        self.0 = servers;
    }

    #[zbus(property, name = "RuntimeNTPServers")]
    fn runtime_ntp_servers(&self) -> Vec<String> {
        self.0.clone()
    }
}

#[test]
fn the_resolver_follows_the_chosen_uplink_and_the_clock_its_servers() {
    world(async |_| {
        let asking = connection::Builder::system().build().await.unwrap();
        let servers = ["pool.example.net".to_owned(), "10.0.0.1".to_owned()];
        // Neither is there: this is reported, and nothing breaks.
        assert!(resolved::route_names_through(&asking, "wl0", &[]).await.is_err());
        assert!(set_time_servers(&asking, &servers).await.is_err());
        let calls = Calls::default();
        let bus = connection::Builder::system()
            .serve_at("/org/freedesktop/resolve1", Resolved(calls.clone()))
            .serve_at("/org/freedesktop/timesync1", Timesync::default())
            .name("org.freedesktop.resolve1")
            .name("org.freedesktop.timesync1")
            .build()
            .await
            .unwrap();
        let index = |name: &str| i32::try_from(nix::net::if_::if_nametoindex(name).unwrap()).unwrap();
        resolved::route_names_through(&asking, "eth1", &["wl0".into(), "gone0".into()]).await.unwrap();
        assert_eq!(*calls.lock().unwrap(), [(index("eth1"), true), (index("wl0"), false)]);
        assert!(set_time_servers(&asking, &servers).await.unwrap());
        assert!(!set_time_servers(&asking, &servers).await.unwrap(), "once is enough");
        bus.close().await.unwrap();
    });
}
