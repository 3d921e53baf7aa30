#!/usr/bin/env bash
# The history of drills, kept from night to night on a branch of its own, which holds the runs and nothing else.
#   history.sh bring    lay the runs of the nights before into reports/
#   history.sh keep     add the runs of reports/ to the branch, and push it
set -euo pipefail
branch="${DRILL_HISTORY:-drill-history}"
there="$(git ls-remote origin "refs/heads/$branch")"
[ -z "$there" ] || git fetch --quiet --depth=1 origin "refs/heads/$branch"
case "${1:-}" in
bring)
  [ -z "$there" ] || git restore --source=FETCH_HEAD --worktree --overlay -- reports
  ;;
keep)
  # reports/<drill>/<run>; find follows no link, so reports/latest is not among them
  mkdir -p reports
  runs=(find reports -mindepth 2 -maxdepth 2 -type d)
  [ -n "$("${runs[@]}" -print -quit)" ] || exit 0
  scratch="$(mktemp -d)"
  trap 'rm -rf "$scratch"' EXIT
  export GIT_INDEX_FILE="$scratch/index" # the branch is not checked out, and the work tree's index is left alone
  export GIT_AUTHOR_NAME=failover-drill GIT_AUTHOR_EMAIL=failover-drill@localhost
  export GIT_COMMITTER_NAME=failover-drill GIT_COMMITTER_EMAIL=failover-drill@localhost
  [ -z "$there" ] || git read-tree FETCH_HEAD
  "${runs[@]}" -print0 | git add --force --pathspec-from-file=- --pathspec-file-nul
  tree="$(git write-tree)"
  if [ -n "$there" ] && [ "$tree" = "$(git rev-parse 'FETCH_HEAD^{tree}')" ]; then exit 0; fi
  commit="$(git commit-tree "$tree" ${there:+-p FETCH_HEAD} -m "The drills up to $(date --utc +%Y-%m-%dT%H:%M:%SZ)")"
  git push --quiet origin "$commit:refs/heads/$branch"
  ;;
*)
  echo "usage: history.sh bring|keep" >&2
  exit 64
  ;;
esac
