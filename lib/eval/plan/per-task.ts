// Scores of single tasks that Qwen's own runs gave: embeddings-benchmark/results at f4cc6c8b, fp16, mteb 1.38.9.
const table = `STS12|0.829953|0.866139|0.861378
STS13|0.917553|0.943863|0.942216
STS14|0.871015|0.909367|0.904208
STS15|0.914472|0.937673|0.937290
STS16|0.905246|0.933414|0.928554
STSBenchmark|0.911297|0.936965|0.936023
BIOSSES|0.854893|0.828507|0.815856
SICK-R|0.848283|0.880603|0.885986
SciFact|0.697180|0.783330|0.784570
NFCorpus|0.367090|0.411000|0.414480
ArguAna|0.709650|0.756400|0.768520
SCIDOCS|0.244070|0.314440|0.327420
FiQA2018|0.466120|0.626540|0.645670
TRECCOVID|0.905180|0.929240|0.949910
CosQA|0.364790|0.379820|0.380420
StackOverflowQA|0.899940|0.943230|0.947510
AppsRetrieval|0.753440|0.891760|0.910710
Banking77Classification|0.810097|0.863409|0.872727
TwentyNewsgroupsClustering.v2|0.517341|0.589607|0.639275
SprintDuplicateQuestions|0.941094|0.960944|0.959506
TwitterSemEval2015|0.722557|0.777787|0.796559
AskUbuntuDupQuestions|0.651285|0.688138|0.701977
T2Reranking|0.671523|0.672706|0.682946`

const models = ['qwen3-embedding-0.6b', 'qwen3-embedding-4b', 'qwen3-embedding-8b']

const scores = new Map(
  table.split('\n').map((line) => {
    const [task, ...values] = line.split('|')
    return [task!, values.map(Number)] as const
  }),
)

/** What was published for a model on a task, if anything. The model may have a quantisation after its name. */
export function publishedFor(task: string, model: string): number | undefined {
  const place = models.findIndex((name) => model.toLowerCase().startsWith(name))
  return place < 0 ? undefined : scores.get(task)?.[place]
}
