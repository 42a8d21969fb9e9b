//! The GTK widgets of the menu. AppIndicator shows and hides them when the panel reports an opened or closed submenu.
//! Also sets the label of a submenu that is already drawn, which muda cannot.

use gtk::prelude::*;
use muxtray::desktop::menu::{Change, Edit};
use muxtray::desktop::menu_label;

pub(super) struct Widgets {
    root: gtk::Menu,
    watch: Box<dyn Fn(&gtk::Menu)>,
}

impl Widgets {
    /// Calls `watch` with each submenu when it is inserted.
    pub(super) fn new(root: gtk::Menu, watch: impl Fn(&gtk::Menu) + 'static) -> Self {
        Self {
            root,
            watch: Box::new(watch),
        }
    }

    /// Applies an edit to the widgets after muda has drawn it.
    pub(super) fn follow(&self, edit: &Edit) {
        let item = self.item(&edit.at);
        match (&edit.change, item) {
            // muda does not change the label of a drawn submenu; removing and inserting the row would close it.
            (Change::Label(label), Some(item)) if item.submenu().is_some() => {
                if let Some(drawn) = find_label(item.upcast()) {
                    drawn.set_label(&menu_label::shown(label));
                }
            }
            (Change::Insert(_), Some(item)) => {
                submenus(item.upcast_ref()).iter().for_each(&self.watch);
            }
            _ => {}
        }
    }

    /// Returns whether a submenu is open, as last reported by the panel. Panels do not report the top menu.
    pub(super) fn has_open_submenu(&self) -> bool {
        let mut rows = self.root.children().into_iter();
        rows.any(|row| submenus(&row).iter().any(WidgetExt::get_visible))
    }

    /// Marks every submenu as closed, because a submenu already marked as open would not report its next opening. The
    /// panel draws the menu, so this closes nothing on the screen.
    pub(super) fn hide_submenus(&self) {
        for row in self.root.children() {
            submenus(&row).iter().for_each(WidgetExt::hide);
        }
    }

    fn item(&self, at: &[usize]) -> Option<gtk::MenuItem> {
        let (&index, parents) = at.split_last()?;
        let mut shell: gtk::Widget = self.root.clone().upcast();
        for &parent in parents {
            shell = child_at(&shell, parent)?.submenu()?;
        }
        child_at(&shell, index)
    }
}

/// Returns the submenus of a row and of those below it, the inner ones first.
fn submenus(row: &gtk::Widget) -> Vec<gtk::Menu> {
    let submenu = row
        .downcast_ref::<gtk::MenuItem>()
        .and_then(GtkMenuItemExt::submenu);
    let Some(Ok(submenu)) = submenu.map(Cast::downcast::<gtk::Menu>) else {
        return Vec::new();
    };
    let mut found: Vec<_> = submenu.children().iter().flat_map(submenus).collect();
    found.push(submenu);
    found
}

fn child_at(shell: &gtk::Widget, index: usize) -> Option<gtk::MenuItem> {
    let children = shell.downcast_ref::<gtk::Container>()?.children();
    children.into_iter().nth(index)?.downcast().ok()
}

fn find_label(widget: gtk::Widget) -> Option<gtk::Label> {
    match widget.downcast::<gtk::Label>() {
        Ok(label) => Some(label),
        Err(widget) => {
            let container = widget.downcast::<gtk::Container>().ok()?;
            container.children().into_iter().find_map(find_label)
        }
    }
}
