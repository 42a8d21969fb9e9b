/// A change after which a new scan can differ from the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A file, directory, process, mount or the clock changed.
    Changed,
    /// An address, link or route changed.
    Network,
    /// Somebody opened the ssh configuration, as every ssh does when it starts.
    SshStarting,
}
