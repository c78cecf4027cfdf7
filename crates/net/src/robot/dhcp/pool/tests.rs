use proptest::prelude::*;

use super::*;

fn pool(own: &str) -> DhcpPool {
    DhcpPool::after(own.parse().unwrap()).unwrap()
}

/// A client's message.
fn asked(mac: u8, kind: MessageType, options: &[DhcpOption]) -> Vec<u8> {
    let mut message = Message::default();
    message.set_chaddr(&[2, 0, 0, 0, 0, mac]).set_xid(7).opts_mut().insert(DhcpOption::MessageType(kind));
    options.iter().for_each(|option| drop(message.opts_mut().insert(option.clone())));
    message.to_vec().unwrap()
}

fn said(answer: Option<(Vec<u8>, SocketAddrV4)>) -> Option<(MessageType, Ipv4Addr)> {
    let (bytes, _) = answer?;
    let message = Message::decode(&mut Decoder::new(&bytes)).unwrap();
    assert_eq!((message.opcode(), message.xid()), (Opcode::BootReply, 7));
    for way_out in [OptionCode::Router, OptionCode::DomainNameServer, OptionCode::ClasslessStaticRoute] {
        assert!(message.opts().get(way_out).is_none(), "a way into the world");
    }
    Some((message.opts().msg_type().unwrap(), message.yiaddr()))
}

fn ip(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

fn lease(pool: &mut DhcpPool, mac: u8, now: Instant) -> Option<Ipv4Addr> {
    let (kind, address) = said(pool.answer(&asked(mac, MessageType::Discover, &[]), now))?;
    assert_eq!(kind, MessageType::Offer);
    let wish = DhcpOption::RequestedIpAddress(address);
    let answer = said(pool.answer(&asked(mac, MessageType::Request, &[wish]), now))?;
    (answer == (MessageType::Ack, address)).then_some(address)
}

#[test]
fn clients_get_addresses_after_the_boxs_own_and_keep_them() {
    let (mut pool, now) = (pool("192.168.50.10/24"), Instant::now());
    assert_eq!(lease(&mut pool, 1, now), Some(ip("192.168.50.11")));
    assert_eq!(lease(&mut pool, 2, now), Some(ip("192.168.50.12")));
    assert_eq!(lease(&mut pool, 1, now), Some(ip("192.168.50.11")));
    // Another's address is refused.
    let wish = DhcpOption::RequestedIpAddress(ip("192.168.50.11"));
    let refused = said(pool.answer(&asked(2, MessageType::Request, &[wish]), now)).unwrap();
    assert_eq!(refused.0, MessageType::Nak);
}

#[test]
fn a_pool_ends_and_begins_anew_when_leases_run_out() {
    let (mut pool, now) = (pool("10.0.0.4/29"), Instant::now());
    assert_eq!(lease(&mut pool, 1, now), Some(ip("10.0.0.5")));
    assert_eq!(lease(&mut pool, 2, now), Some(ip("10.0.0.6")));
    assert_eq!(lease(&mut pool, 3, now), None, "the broadcast address is nobody's");
    assert_eq!(lease(&mut pool, 3, now + LEASE + Duration::from_secs(1)), Some(ip("10.0.0.5")));
}

#[test]
fn an_address_that_somebody_has_already_is_left_alone() {
    let (mut pool, now) = (pool("10.0.0.4/24"), Instant::now());
    assert_eq!(lease(&mut pool, 1, now), Some(ip("10.0.0.5")));
    let wish = DhcpOption::RequestedIpAddress(ip("10.0.0.5"));
    assert!(pool.answer(&asked(1, MessageType::Decline, &[wish]), now).is_none());
    assert_eq!(lease(&mut pool, 1, now), Some(ip("10.0.0.6")));
}

#[test]
fn a_client_of_another_server_is_left_to_it() {
    let (mut pool, now) = (pool("10.0.0.4/24"), Instant::now());
    let other = DhcpOption::ServerIdentifier(ip("10.0.0.200"));
    assert!(pool.answer(&asked(1, MessageType::Request, &[other]), now).is_none());
}

#[test]
fn networks_without_room_have_no_pool() {
    for own in ["10.0.0.1/31", "10.0.0.1/32", "10.0.0.254/24", "10.0.0.1/4", "fd00::1/64"] {
        assert!(DhcpPool::after(own.parse().unwrap()).is_none(), "{own}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1024) })]

    #[test]
    fn no_datagram_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = pool("10.0.0.4/24").answer(&bytes, Instant::now());
    }

    #[test]
    fn no_mutation_of_a_question_makes_it_panic(
        kind in 1_u8..10, edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12), cut in any::<prop::sample::Index>(),
    ) {
        let id = DhcpOption::ClientIdentifier(vec![1; 20]);
        let mut bytes = asked(1, kind.into(), &[id, DhcpOption::RequestedIpAddress(ip("10.0.0.9"))]);
        for (at, value) in edits {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        bytes.truncate(cut.index(bytes.len() + 1).max(200));
        let mut pool = pool("10.0.0.4/24");
        let _ = pool.answer(&bytes, Instant::now());
    }

    #[test]
    fn nobody_gets_what_another_has_or_what_is_not_in_the_pool(clients in proptest::collection::vec((any::<u8>(), any::<u32>()), 1..80)) {
        let (mut pool, now) = (pool("10.0.0.4/26"), Instant::now());
        let mut given: BTreeMap<Ipv4Addr, u8> = BTreeMap::new();
        for (mac, wish) in clients {
            let wish = DhcpOption::RequestedIpAddress(Ipv4Addr::from_bits(0x0a00_0000 | wish & 0x7f));
            if let Some((MessageType::Ack, address)) = said(pool.answer(&asked(mac, MessageType::Request, &[wish]), now)) {
                given.retain(|_, other| *other != mac);
                prop_assert_eq!(given.insert(address, mac), None);
                prop_assert!((ip("10.0.0.5")..=ip("10.0.0.36")).contains(&address));
            }
        }
        prop_assert!(pool.leases.len() <= MOST);
    }
}
