# shellcheck shell=sh
# The content of files, read only, as hexadecimal digits. $1 the directory   $2 the most bytes of each
# On standard input the paths, one a line, each byte that is not plain as a backslash, 0 and three octal digits.
#
# Answers are lines `file NUMBER digits`; a path that is no file has none.
dir=$1; most=$2; n=0;
LC_ALL=C; export LC_ALL;
echo "sinc-begin 1";
while IFS= read -r line; do
n=$((n + 1)); p=$(printf "%bx" "$line"); p=$dir/${p%x};
if [ -L "$p" ]; then continue; fi;
[ -f "$p" ] || continue;
printf "file %s " "$n";
head -c "$most" -- "$p" 2>/dev/null | od -An -v -tx1 | tr -d "[:space:]"; echo;
done;
echo end;
exit 0
