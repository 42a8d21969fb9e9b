# shellcheck shell=bash
# The results of tests/matrix.sh, and the tables in docs/desktops.md that are written from them. Sourced, not run.
#
# A line of the file is a subject, a name, a value and a date, separated by tabs. The subject is "RELEASE", or
# "RELEASE DESKTOP BUILD".

results_file=$here/tests/matrix/results.tsv
[ -e "$results_file" ] || : >"$results_file"

# record SUBJECT NAME VALUE: replaces an earlier value.
record() {
    local today
    today=$(date +%F)
    {
        awk -F '\t' -v subject="$1" -v name="$2" '$1 != subject || $2 != name' "$results_file"
        printf '%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$today"
    } | LC_ALL=C sort >"$results_file.new"
    mv "$results_file.new" "$results_file"
}

# forget SUBJECT: removes all its values.
forget() {
    awk -F '\t' -v subject="$1" '$1 != subject' "$results_file" >"$results_file.new"
    mv "$results_file.new" "$results_file"
}

page=$here/docs/desktops.md
begin='<!-- The tables up to the next comment are written by tests/matrix.sh. -->'
end='<!-- End of the tables by tests/matrix.sh. -->'

# Replaces the tables between the two comments of the page.
write_page() {
    # The page is read before it is replaced.
    {
        sed "\\|^$begin\$|q" "$page"
        tables
        sed -n "\\|^$end\$|,\$p" "$page"
    } >"$page.new"
    mv "$page.new" "$page"
}

tables() {
    local walks='^[a-z]+ [a-z]+ '
    table '| desktop | build | icon | right click | left click | submenu after a change | open submenu stays | menu after that | Clean pressed | icon after a panel restart | seen |' \
        '| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |' \
        "$(rows "$walks" 'icon right left submenu stays reopened clean restart')"
    table '| desktop | build | start to icon | RSS | PSS |' '| --- | --- | ---: | ---: | ---: |' \
        "$(rows "$walks" 'start rss pss' no)"
    table '| release | OpenSSH | set-up, umask 0002 | tests, umask 0002 | seen |' '| --- | --- | --- | --- | --- |' \
        "$(rows '^[a-z]+$' 'openssh setup suite')"
    echo
}

# table HEAD RULE ROWS: prints a table, if it has rows.
table() {
    [ -z "$3" ] || printf '\n%s\n%s\n%s\n' "$@"
}

# rows PATTERN NAMES [no]: prints a row for each subject, with the values in this order, and the last date.
rows() {
    awk -F '\t' -v pattern="$1" -v names="$2" -v dated="${3:-yes}" -v desktops="${desktops[*]}" \
        -v titles="$titles" '
        BEGIN {
            split(titles, pairs, " ")
            for (i in pairs) title[substr(pairs[i], 1, index(pairs[i], "=") - 1)] = substr(pairs[i], index(pairs[i], "=") + 1)
        }
        $1 ~ pattern {
            if (!($1 in date)) subjects[++count] = $1
            value[$1, $2] = $3
            if ($4 > date[$1]) date[$1] = $4
        }
        function text(subject, name,   seen) {
            seen = value[subject, name]
            sub(/ \([0-9, ]+\)$/, "", seen)
            if (seen == "") return "not seen"
            if (name == "start") return seen " ms"
            if (name == "rss" || name == "pss") return sprintf("%.1f MiB", seen / 1024)
            return seen
        }
        function row(subject,   part, columns, i, any) {
            split(subject, part, " ")
            columns = split(names, column, " ")
            for (i = 1; i <= columns; i++) any = any value[subject, column[i]]
            if (any == "") return
            if (part[2] == "") printf "| %s ", subject
            else printf "| %s %s, %s | %s ", title[part[2]], value[subject, "version"], part[1],
                part[3] == "gtk" ? "default" : part[3]
            for (i = 1; i <= columns; i++) printf "| %s ", text(subject, column[i])
            print dated == "yes" ? "| " date[subject] " |" : "|"
        }
        END {
            total = split(desktops, order, " ")
            for (d = 1; d <= total; d++)
                for (s = 1; s <= count; s++)
                    if (index(subjects[s], " " order[d] " ")) row(subjects[s])
            for (s = 1; s <= count; s++) if (!index(subjects[s], " ")) row(subjects[s])
        }' "$results_file"
}
