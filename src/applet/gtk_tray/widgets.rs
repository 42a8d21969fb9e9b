//! The GTK widgets of the menu. AppIndicator shows and hides them when the panel reports an opened or closed submenu.
//! Also sets the label of a submenu that is already drawn, which muda cannot.

use gtk::prelude::*;
use muxtray::desktop::menu::Edit;
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
        match edit {
            // muda does not change the label of a drawn submenu; removing and inserting the row would close it.
            Edit::Label { at, label } => {
                let item = self.item(at).filter(|item| item.submenu().is_some());
                if let Some(drawn) = item.and_then(|item| find_label(item.upcast())) {
                    drawn.set_label(&menu_label::shown(label));
                }
            }
            Edit::Insert { at, .. } => {
                if let Some(item) = self.item(at) {
                    self.watch_below(item.upcast_ref());
                }
            }
            Edit::Disable { .. } | Edit::Remove { .. } => {}
        }
    }

    /// Returns whether a submenu is open, as last reported by the panel. Panels do not report the top menu.
    pub(super) fn has_open_submenu(&self) -> bool {
        self.root.children().iter().any(is_open_below)
    }

    /// Marks every submenu as closed, because a submenu already marked as open would not report its next opening. The
    /// panel draws the menu, so this closes nothing on the screen.
    pub(super) fn hide_submenus(&self) {
        self.root.children().iter().for_each(hide_below);
    }

    fn watch_below(&self, item: &gtk::Widget) {
        if let Some(submenu) = submenu_of(item) {
            (self.watch)(&submenu);
            submenu
                .children()
                .iter()
                .for_each(|child| self.watch_below(child));
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

fn is_open_below(item: &gtk::Widget) -> bool {
    submenu_of(item).is_some_and(|submenu| {
        submenu.get_visible() || submenu.children().iter().any(is_open_below)
    })
}

fn hide_below(item: &gtk::Widget) {
    if let Some(submenu) = submenu_of(item) {
        submenu.children().iter().for_each(hide_below);
        submenu.hide();
    }
}

fn submenu_of(item: &gtk::Widget) -> Option<gtk::Menu> {
    let submenu = item.downcast_ref::<gtk::MenuItem>()?.submenu()?;
    submenu.downcast().ok()
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
