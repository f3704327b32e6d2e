// The instruction of each task in Qwen's own evaluation, misspellings and closing spaces included: the models were judged
// with these. From the copies of task_prompts.json in HKUST-KnowComp/Reasoning-Embedding and mteb (Apache-2.0). A dagger
// marks retrieval tasks whose documents get the instruction too.
const table = `Classify a given Amazon customer review text as either counterfactual or not-counterfactual|AmazonCounterfactualClassification
Classify Amazon reviews into positive or negative sentiment|AmazonPolarityClassification
Classify the given Amazon review into its appropriate rating category|AmazonReviewsClassification
Given a online banking query, find the corresponding intents|Banking77Classification
Classify the emotion expressed in the given Twitter message into one of the six emotions: anger, fear, joy, love, sadness, and surprise|EmotionClassification
Classify the sentiment expressed in the given movie review text from the IMDB dataset|ImdbClassification
Given a user utterance as query, find the user intents|MassiveIntentClassification
Given a user utterance as query, find the user scenarios|MassiveScenarioClassification
Classify the intent domain of the given utterance in task-oriented conversation|MTOPDomainClassification
Classify the intent of the given utterance in task-oriented conversation|MTOPIntentClassification
Classify the given comments as either toxic or not toxic|ToxicConversationsClassification
Classify the sentiment of a given tweet as either positive, negative, or neutral|TweetSentimentExtractionClassification
Classify the fine-grained category of the given news title|TNews
Given an App description text, find the appropriate fine-grained category|IFlyTek
Classify sentiment of the customer review into positive, neutral, or negative|MultilingualSentiment
Classify the customer review for iPhone on e-commerce platform into positive or negative|JDReview
Classify the customer review for online shopping into positive or negative|OnlineShopping
Classify the customer review from a food takeaway platform into positive or negative|Waimai
Identify the main and secondary category of Arxiv papers based on the titles and abstracts|ArxivClusteringP2P,ArXivHierarchicalClusteringP2P
Identify the main and secondary category of Arxiv papers based on the titles|ArxivClusteringS2S,ArXivHierarchicalClusteringS2S
Identify the main category of Biorxiv papers based on the titles and abstracts|BiorxivClusteringP2P.v2
Identify the main category of Biorxiv papers based on the titles|BiorxivClusteringS2S
Identify the main category of Medrxiv papers based on the titles and abstracts|MedrxivClusteringP2P.v2
Identify the main category of Medrxiv papers based on the titles|MedrxivClusteringS2S
Identify the topic or theme of Reddit posts based on the titles|RedditClustering
Identify the topic or theme of Reddit posts based on the titles and posts|RedditClusteringP2P
Identify the topic or theme of StackExchange posts based on the titles|StackExchangeClustering.v2
Identify the topic or theme of StackExchange posts based on the given paragraphs|StackExchangeClusteringP2P
Identify the topic or theme of the given news articles|TwentyNewsgroupsClustering
Identify the main category of scholar papers based on the titles|CLSClusteringS2S
Identify the main category of scholar papers based on the titles and abstracts|CLSClusteringP2P.v2
Identify the topic or theme of the given news articles based on the titles|ThuNewsClusteringS2S,MasakhaNEWSClusteringS2S
Identify the topic or theme of the given news articles based on the titles and contents|ThuNewsClusteringP2P,MasakhaNEWSClusteringP2P
Retrieve duplicate questions from AskUbuntu forum|AskUbuntuDupQuestions
Retrieve relevant news articles based on user browsing history|MindSmallReranking
Given a title of a scientific paper, retrieve the titles of other relevant papers|SciDocsRR
Retrieve duplicate questions from StackOverflow forum|StackOverflowDupQuestions
Retrieve duplicate questions from Sprint forum|SprintDuplicateQuestions
Retrieve tweets that are semantically similar to the given tweet|TwitterSemEval2015,TwitterURLCorpus
Given a Chinese search query, retrieve web passages that answer the question|T2Reranking,MmarcoReranking,T2Retrieval,DuRetrieval
Given a Chinese community medical question, retrieve replies that best answer the question|CMedQAv1,CMedQAv2,CmedqaRetrieval
Retrieve semantically similar text.|Ocnli,Cmnli
Given a claim, find documents that refute the claim|ArguAna†,ArguAna-PL
Given a claim about climate change, retrieve documents that support or refute the claim|ClimateFEVER,ClimateFEVERHardNegatives
Given a query, retrieve relevant entity descriptions from DBPedia|DBPedia,DBPedia-PL
Given a claim, retrieve documents that support or refute the claim|FEVER,FEVERHardNegatives
Given a financial question, retrieve user replies that best answer the question|FiQA2018,FiQA-PL
Given a multi-hop question, retrieve documents that can help answer the question|HotpotQA,HotpotQAHardNegatives,HotpotQA-PL
Given a web search query, retrieve relevant passages that answer the query|MSMARCO,MMarcoRetrieval,MSMARCO-PL
Given a question, retrieve relevant documents that best answer the question|NFCorpus,NFCorpus-PL
Given a question, retrieve Wikipedia passages that answer the question|NQ,NQ-PL,RuBQReranking,RuBQRetrieval
Given a question, retrieve questions that are semantically equivalent to the given question|QuoraRetrieval,Quora-PL
Given a scientific paper title, retrieve paper abstracts that are cited by the given paper|SCIDOCS,SCIDOCS-PL
Given a scientific claim, retrieve documents that support or refute the claim|SciFact,SciFact-PL
Given a question, retrieve detailed and persuasive arguments that answer the question|Touche2020,Touche2020Retrieval.v3
Given a query on COVID-19, retrieve documents that answer the query|TRECCOVID,TRECCOVID-PL
Given a question on COVID-19, retrieve news articles that answer the question|CovidRetrieval
Given a user query from an e-commerce website, retrieve description sentences of relevant products|EcomRetrieval
Given a medical question, retrieve user replies that best answer the question|MedicalRetrieval
Given a video search query, retrieve the titles of relevant videos|VideoRetrieval
Retrieve semantically similar text|STSBenchmarkMultilingualSTS,SICKFr,OpusparcusPC,PawsX,SICK-E-PL,SICK-R-PL,STS22,AFQMC,BQ,LCQMC,PAWSX,QBQTC,STS12,PPC,CDSC-E,PSC,RUParaPhraserSTS,RuSTSBenchmarkSTS,CTKFactsNLI,indonli,ArmenianParaphrasePC,PawsXPairClassification,RTE3,XNLI,PpcPC,GermanSTSBenchmark,SICK-R,STS13,STS14,STSBenchmark,FaroeseSTS,FinParaSTS,JSICK,IndicCrosslingualSTS,SemRel24STS,STS17,STS22.v2,STSES,STSB,STS15,BIOSSES,STS16,SummEval,ATEC
Given a news summary, retrieve other semantically similar summaries|SummEvalFr
Classify the News in the given texts into one of the seven category: politics,sports,health,business,entertainment,technology,religion |MasakhaNEWSClassification
Identify the main category of Allo Prof document based on the titles and descriptions|AlloProfClusteringP2P
Identify the topic of document titles from Allo Prof dataset|AlloProfClusteringS2S,AlloProfClusteringS2S.v2
Identify the main category of academic passage based on the titles and contents|HALClusteringS2S
Identify the topic or theme of the given articles based on the titles and contents|MLSUMClusteringP2P
Identify the topic or theme of the given articles based on the titles|MLSUMClusteringS2S
Given a question, retrieve passages that answer the question|SyntecReranking,AlloprofReranking,AlloprofRetrieval,BSARDRetrieval,SyntecRetrieval,XPQARetrieval,MintakaRetrieval
Classify the sentiment of polish tweet reviews|CBD
Classify the sentiment of in-domain (medicine and hotels) online reviews|PolEmo2.0-IN
Classify the sentiment of out-of-domain (products and school) online reviews|PolEmo2.0-OUT
Classify the sentiment of reviews from e-commerce marketplace Allegro|AllegroReviews
Classify the sentence into one of the two types: "BEZPIECZNE_POSTANOWIENIE_UMOWNE" and "KLAUZULA_ABUZYWNA"|PAC
Identify of headlines from social media posts in Polish  into 8 categories: film, history, food, medicine, motorization, work, sport and technology|8TagsClustering
Classify the organization rating based on the reviews|GeoreviewClassification
Classify the topic or theme of the given news headline|HeadlineClassification
Classify the given message as either sensitive topic or not|InappropriatenessClassification
Classify the sentiment expressed in the given movie review text|KinopoiskClassification
Classify product reviews into positive, negative or neutral sentiment|RuReviewsClassification
Classify the category of scientific papers based on the titles and abstracts|RuSciBenchGRNTIClassification,RuSciBenchOECDClassification
Identify the organization category based on the reviews|GeoreviewClusteringP2P
Identify the category of scientific papers based on the titles and abstracts|RuSciBenchGRNTIClusteringP2P,RuSciBenchOECDClusteringP2P
Given a premise, retrieve a hypothesis that is entailed by the premise|TERRa
Given a headline, retrieval relevant articles|RiaNewsRetrieval
Given a question about code problem, retrieval code that can solve user's problem|AppsRetrieval
Given a code snippet, retrieve the comment corresponding to that code.|COIRCodeSearchNetRetrieval,CodeSearchNetRetrieval
Given a piece of code, retrieval code that in the |CodeEditSearchRetrieval
Given a question about coding, retrieval code or passage that can solve user's question|CodeFeedbackMT,CodeFeedbackST,CosQA,StackOverflowQA
Given a code comment, retrieve the code snippet corresponding to that comment.|CodeSearchNetCCRetrieval
Given a piece for code, retrieval semantically similar code|CodeTransOceanContest,CodeTransOceanDL
Given a user's question, retrieve SQL queries that are appropriate responses to the question|SyntheticText2SQL
Retrieve parallel sentences|BibleNLPBitextMining,BUCC.v2,DiaBlaBitextMining,FloresBitextMining,IN22GenBitextMining,IndicGenBenchFloresBitextMining,NollySentiBitextMining,NTREXBitextMining,NusaTranslationBitextMining,NusaXBitextMining,Tatoeba
Classify user reviews into positive or negative sentiment|BulgarianStoreReviewSentimentClassfication
Classify product reviews into positive or negative sentiment|CzechProductReviewSentimentClassification
Given a greek legal text, classify its topic|GreekLegalCodeClassification
Given a Wikipedia articles, categorized it into classes based on its DBpedia ontology|DBpediaClassification
Given financial news, categorized by sentiment into positive, negative, or neutral|FinancialPhrasebankClassification
Gvien a poem, categorized by sentiment into positive, no_impact, negative or mixed|PoemSentimentClassification
Gvien a twitter, classify its topic|TweetTopicSingleClassification
Given a news article, categorized by sentiment into negatiivne, positiivne, neutraalne or vastuolulin|EstonianValenceClassification
Given a shop review, classify its rating on a scale from 1 to 5|FilipinoShopeeReviewsClassification
Given a Gujarati news articles, classify ist topic|GujaratiNewsClassification
Given a hindi text, categorized by sentiment into positive, negative or neutral|SentimentAnalysisHindi
Given an Indonesian news headlines, classify its into clickbait or non-clickbait|IndonesianIdClickbaitClassification
Given a judgments, classify its topic|ItaCaseholdClassification
Given a twitter, categorized it into sarcasm or not_sarcasm|KorSarcasmClassification
Given a text, categorized by sentiment into positive or negative|KurdishSentimentClassification,NusaX-senti
Given a Macedonian tweet, categorized by sentiment into positive, negative, or neutral|MacedonianTweetSentimentClassification
Given a text, categorized by sentiment into positive, negative, or neutral|AfriSentiClassification
Given a tweet, categorized by sentiment into AGAINST, FAVOR or NEUTRAL|CataloniaTweetClassification
Given a text, classify its language|CyrillicTurkicLangClassification,IndicLangClassification
Given a text, categorized by sentiment into hate or non-hate|MultiHateClassification
Given a paragraph, classify its emotion|NusaParagraphEmotionClassification
Given a news article, categorized it into approval or dismissal|SwissJudgementClassification
Given a news article, categorized it into business, entertainment or sports|NepaliNewsClassification,OdiaNewsClassification
Given a news article, categorized it into two-classes|PunjabiNewsClassification
Given a news article, categorized it into political, business, technology, sports and Entertainment|SinhalaNewsClassification
Given a movie review, classify its rating on a scale from 0 to 5|CSFDSKMovieReviewSentimentClassification
Given a news article, classify its topic|SiswatiNewsClassification,TswanaNewsClassification,IsiZuluNewsClassification
Given a movie review, categorized it into positive or negative|SlovakMovieReviewSentimentClassification
Given a news article, classify its domain|SwahiliNewsClassification
Identify of Wikipedia articles of cities by country|WikiCitiesClustering
Identify verses from the Bible in Kalderash Romani by book.|RomaniBibleClustering
Identify the category of documents from the Big Patent dataset|BigPatentClustering.v2
Identify the topic of titles from HAL|HALClusteringS2S.v2
Identify the category of documents|SIB200ClusteringS2S
Identify the category of wiki passages|WikiClusteringP2P.v2
Identify the category of titles+abstracts from Library of Science|PlscClusteringP2P.v2
Given a Korean online news comments, classify its fine-grained hate speech classes|KorHateSpeechMLClassification
Given a maltese new, classify its topic|MalteseNewsClassification
Given a text, classify its topic|MultiEURLEXMultilabelClassification
Given a tweet, classify its topic|BrazilianToxicTweetsClassification
Identifying the most relevant statutes for a given situation|AILAStatutes
Retrieval the relevant passage for the given query|HagridRetrieval,LegalBenchCorporateLobbying,LEMBPasskeyRetrieval,BelebeleRetrieval,MLQARetrieval,StatcanDialogueDatasetRetrieval,WikipediaRetrievalMultilingual,Core17InstructionRetrieval,News21InstructionRetrieval,Robust04InstructionRetrieval,WebLINXCandidatesReranking,WikipediaRerankingMultilingual
Retrieval relevant passage for the given query|MIRACLRetrievalHardNegatives
Given a question, retrieve detailed question descriptions from Stackexchange that are duplicates to the given question|CQADupstackRetrieval,CQADupstackGamingRetrieval†,CQADupstackUnixRetrieval†
Retrieve parallel sentences.|BornholmBitextMining
Retrieve parallel sentences in Norwegian Bokmål and Nynorsk|NorwegianCourtsBitextMining
Classify texts based on language|NordicLangClassification
Classify passages in Scandinavian Languages based on linguistic acceptability|ScalaClassification
Classify texts based on linguistic acceptability in Swedish|DalajClassification
Identify news categories in Swedish passages|SwednClusteringP2P
Retrieve answers to questions asked in Danish tweets|TwitterHjerneRetrieval
Given the following spatial reasoning question, retrieve the right answer.|SpartQA
Given the following question about time, retrieve the correct answer.|TempReasonL1
Given the following sentence, retrieve an appropriate answer to fill in the missing underscored part.|WinoGrande
Given a comment as query, find expressed emotions (joy, sadness, surprise, fear, and anger)|CEDRClassification
Rerank passages based on relevance to the query|VoyageMMarcoReranking
Given a online banking query, find the corresponding intents|Banking77Classification.v2
Identify the main category of Biorxiv papers based on the titles and abstracts|BiorxivClusteringP2P
Identify the main category of Medrxiv papers based on the titles and abstracts|MedrxivClusteringP2P
Identify the main category of Medrxiv papers based on the titles|MedrxivClusteringS2S.v2
Identify the topic or theme of StackExchange posts based on the titles|StackExchangeClustering
Identify the topic or theme of StackExchange posts based on the given paragraphs|StackExchangeClusteringP2P.v2
Identify the topic or theme of the given news articles|TwentyNewsgroupsClustering.v2
Identify the main category of scholar papers based on the titles and abstracts|CLSClusteringP2P
Given a news summary, retrieve other semantically similar summaries.|SummEvalSummarization.v2`

interface TaskInstruction {
  instruction: string
  /** Documents get it too. */
  both: boolean
}

const byTask = new Map<string, TaskInstruction>(
  table.split('\n').flatMap((line) => {
    const [instruction, names] = line.split('|') as [string, string]
    return names
      .split(',')
      .map((name) => [name.replace('†', ''), { instruction, both: name.endsWith('†') }] as const)
  }),
)

export function instructionOf(task: string): TaskInstruction | undefined {
  return byTask.get(task)
}

export const instructedTasks: readonly string[] = [...byTask.keys()]

/** Tasks whose queries are among their documents; mteb 2.26 drops the one of the same id. */
const identical = new Set([
  'ArguAna',
  'EcomRetrieval',
  'FEVER',
  'FEVERHardNegatives',
  'FiQA2018',
  'MMarcoRetrieval',
  'MSMARCO',
  'MedicalRetrieval',
  'QuoraRetrieval',
  'T2Retrieval',
  'VideoRetrieval',
])

export function identicalIgnored(task: string | undefined): boolean {
  return task !== undefined && identical.has(task)
}
