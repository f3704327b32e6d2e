// Texts whose length in tokens is known: each of these words is one token of Qwen's vocabulary, with a
// space before it or without.
const words =
  `about above after again air animal answer apple balance bank battery begin better bird blue boat
  book bread bridge bright bring broken build busy button camera capital carbon castle center chair
  change cheap child choose circle city clean clear climate clock cloud coffee cold color common
  corner country court cover create crop current dance danger dark daughter deep delay design
  distance doctor double dream drive early earth east effect electric empty energy engine event
  every example experience eye fabric factory fall family farm father field final fire first fish
  flight floor flower follow food force forest form free fresh friend fruit future gas glass gold
  grass green ground group grow guide half hand happy health heart heat heavy height history hold
  home horse hospital hour house human ice idea image important increase industry judge keep key
  known lake language large late law learn leave letter level library light limit line liquid list
  little local machine market material meaning measure medicine memory metal method middle mind
  model modern money month moon mother motion move music nature never night noise north number
  object office often oil open orange order other outside paint paper parent path pattern people
  period person picture place plane planet plant point pressure price problem process produce
  protect public quality question quick quiet rain reach reason record region repair report return
  rich right river road rock room round rule safe salt sample sand school science sea season second
  seed sentence service shape sharp ship short silver simple size skill sleep small smooth snow soft
  solid song sound source south space speed spring stable star station steel stone storm story
  street strong student summer sun supply surface system table teacher temperature theory thin
  ticket time tool town track trade train travel tree trial true unit value voice volume walk wall
  warm watch water wave weather weight west wheel white wide wild window winter wood word work world
  write year yellow young`.split(/\s+/)

/** `count` different texts of `length` words; the same for the same seed, on every machine. */
export function texts(count, length, seed) {
  const draw = mulberry32(seed)
  return Array.from({ length: count }, () =>
    Array.from({ length }, () => words[Math.floor(draw() * words.length)]).join(' '),
  )
}

function mulberry32(seed) {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
