//! From a snapshot to text: the menu, the table, JSON, and the answers of `doctor` and `test`.

pub mod doctor;
pub mod explain;
pub mod menu;
pub mod network;
pub mod report;
pub mod speed_test;
pub mod table;
