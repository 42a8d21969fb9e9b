use std::path::Path;

use crate::actions::kernel::own_uid;
use crate::files;
use crate::model::remembered::{MAX_REMEMBERED_BYTES, RememberedForwards};

pub(super) fn read(file: &Path) -> RememberedForwards {
    files::read_private_json(file, own_uid().0, MAX_REMEMBERED_BYTES).unwrap_or_default()
}

/// Changes the file of remembered forwardings. One that cannot be written only loses what it would show and offer.
pub(super) fn change(file: &Path, change: impl FnOnce(&mut RememberedForwards)) {
    let before = read(file);
    let mut after = before.clone();
    change(&mut after);
    if after != before
        && let Err(error) = files::write_private_json(file, &after)
    {
        tracing::warn!("forwardings are not remembered: {error}");
    }
}
