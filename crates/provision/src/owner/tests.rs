use super::*;
use proptest::prelude::*;
use robocast_stick::OwnerKey;
use robocast_stick::names::{AUTHORIZED_KEYS, SETTINGS};

fn owned(key: &OwnerKey) -> Owner {
    next_owner(None, Some(offer(key, None))).unwrap().0.unwrap()
}

fn offer<'s>(key: &OwnerKey, signature: Option<&'s str>) -> SignedFile<'s> {
    let bytes = Box::leak(format!("{}\n", key.public()).into_bytes().into_boxed_slice());
    SignedFile { name: OWNER, bytes, signature: signature.map(str::as_bytes) }
}

fn take(
    owner: &Owner,
    key: &OwnerKey,
    name: &str,
    bytes: &[u8],
    serial: u64,
) -> Result<Owner, ProvisionProblem> {
    let signature = key.sign(name, bytes, serial);
    owner.accept(SignedFile { name, bytes, signature: Some(signature.as_bytes()) })
}

#[test]
fn serials_never_go_back_each_name_by_itself() {
    let key = OwnerKey::generate();
    let mut owner = owned(&key);
    for (name, bytes, serial, word) in [
        (SETTINGS, &b"a"[..], 5, None),
        (SETTINGS, b"a", 5, None),
        (SETTINGS, b"b", 5, Some("the same serial")),
        (SETTINGS, b"b", 4, Some("signed before")),
        (SETTINGS, b"a", 4, Some("signed before")),
        (AUTHORIZED_KEYS, b"b", 4, None),
        (SETTINGS, b"b", 6, None),
        (SETTINGS, b"a", 5, Some("signed before")),
        (SETTINGS, b"c", u64::MAX, None),
        (SETTINGS, b"d", u64::MAX, Some("the same serial")),
    ] {
        match (take(&owner, &key, name, bytes, serial), word) {
            (Ok(next), None) => owner = next,
            (Err(problem), Some(word)) => assert!(problem.message.contains(word), "{problem}"),
            (result, _) => panic!("{name} {serial}: {result:?}"),
        }
    }
}

#[test]
fn only_what_the_owner_signed_under_this_name_is_taken() {
    let (key, other) = (OwnerKey::generate(), OwnerKey::generate());
    let owner = owned(&key);
    let bytes = b"settings";
    let of = |key: &OwnerKey, name| key.sign(name, bytes, 1);
    for (signature, word) in [
        (None, "is not signed"),
        (Some(String::new()), "no signature"),
        (Some(of(&other, SETTINGS)), "another key"),
        (Some(of(&key, OWNER)), "does not fit"),
        (Some(key.sign(SETTINGS, b"other", 1)), "does not fit"),
        (Some(of(&key, SETTINGS).replace("serial: 1", "serial: 2")), "does not fit"),
    ] {
        let signature = signature.as_deref().map(str::as_bytes);
        let told = owner.accept(SignedFile { name: SETTINGS, bytes, signature }).unwrap_err();
        assert!(told.message.contains(word), "{told} lacks {word}");
    }
    take(&owner, &key, SETTINGS, bytes, 1).unwrap();
}

#[test]
fn a_key_is_adopted_once_and_changed_only_by_the_one_before() {
    let (first, second, third) = (OwnerKey::generate(), OwnerKey::generate(), OwnerKey::generate());
    assert_eq!(next_owner(None, None), Ok((None, OwnerChange::None)));
    let owner = take(&owned(&first), &first, SETTINGS, b"a", 7).unwrap();
    assert_eq!(next_owner(Some(&owner), None).unwrap(), (Some(owner.clone()), OwnerChange::None));
    assert_eq!(
        next_owner(Some(&owner), Some(offer(&first, None))).unwrap(),
        (Some(owner.clone()), OwnerChange::None)
    );
    assert!(
        next_owner(Some(&owner), Some(offer(&second, None))).unwrap_err().message.contains("has an owner")
    );
    let line = |key: &OwnerKey| format!("{}\n", key.public());
    let by = |signer: &OwnerKey, new: &OwnerKey, serial| signer.sign(OWNER, line(new).as_bytes(), serial);
    // A stranger can vouch for nobody, and a new key cannot vouch for itself.
    for signer in [&second, &third] {
        assert!(next_owner(Some(&owner), Some(offer(&second, Some(&by(signer, &second, 9))))).is_err());
    }
    let to_second = by(&first, &second, 9);
    let (Some(rotated), OwnerChange::Rotated) =
        next_owner(Some(&owner), Some(offer(&second, Some(&to_second)))).unwrap()
    else {
        panic!("not rotated")
    };
    assert_eq!(rotated.key, second.public());
    // The old key counts no longer, and accepted files stay accepted.
    assert!(take(&rotated, &first, SETTINGS, b"b", 8).is_err());
    assert!(take(&rotated, &second, SETTINGS, b"b", 6).is_err());
    take(&rotated, &second, SETTINGS, b"b", 8).unwrap();
    // Back to the first key; then the first change cannot be replayed.
    let back =
        next_owner(Some(&rotated), Some(offer(&first, Some(&by(&second, &first, 10))))).unwrap().0.unwrap();
    let told = next_owner(Some(&back), Some(offer(&second, Some(&to_second)))).unwrap_err();
    assert!(told.message.contains("signed before"), "{told}");
}

#[test]
fn what_is_no_key_is_refused() {
    for bytes in [&b""[..], b"ed25519:", b"\xff\xfe", b"age1qqq"] {
        assert!(next_owner(None, Some(SignedFile { name: OWNER, bytes, signature: None })).is_err());
    }
}

proptest! {
    #[test]
    fn the_serial_in_force_only_grows(serials in proptest::collection::vec(0u64..6, 1..12)) {
        let key = OwnerKey::generate();
        let mut owner = owned(&key);
        let mut highest = 0;
        for (number, serial) in serials.into_iter().enumerate() {
            if let Ok(next) = take(&owner, &key, SETTINGS, &[number as u8], serial) {
                owner = next;
            }
            let now = owner.taken.get(SETTINGS).map_or(0, |taken| taken.serial);
            prop_assert!(now >= highest);
            prop_assert!(now >= serial);
            highest = now;
        }
        let json = serde_json::to_vec(&owner).unwrap();
        prop_assert_eq!(serde_json::from_slice::<Owner>(&json).unwrap(), owner);
    }
}
